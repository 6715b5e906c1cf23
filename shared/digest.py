"""Content digests: the one form `sha256:<64 hex>`, and hashing while copying. Paths belong to the registry."""

import hashlib
import re
from typing import NewType

from shared.errors import DigestInvalid

Digest = NewType("Digest", str)

_PATTERN = re.compile(r"sha256[:-]([0-9a-fA-F]{64})\Z")


def parse_digest(text: str) -> Digest:
    """Accept `sha256:<hex>` or `sha256-<hex>` in any case and return the canonical form.

    Raises: DigestInvalid.
    Source: Ollama `manifest/paths.go`.
    """
    match = _PATTERN.match(text)
    if match is None:
        raise DigestInvalid()
    return Digest("sha256:" + match.group(1).lower())


def digest_of(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def hex_of(digest: Digest) -> str:
    """The bare 64 hex characters."""
    return digest.removeprefix("sha256:")


class HashingCopy:
    """Hash and count the chunks that pass through, so that content is verified while it is written."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def update(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def fork(self) -> "HashingCopy":
        """One that goes on from here by itself."""
        other = HashingCopy()
        other._hash = self._hash.copy()
        other.size_bytes = self.size_bytes
        return other

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + self._hash.hexdigest())
