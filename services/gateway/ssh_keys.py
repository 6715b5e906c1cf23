"""ed25519 keys as OpenSSH writes them and Ollama uses them: read, name and check signatures. Pure.

Source: RFC 8709 §4 (the key's bytes), OpenSSH `sshkey.c` (fingerprints), Ollama `auth/auth.go`.
"""

import base64
import binascii
import hashlib
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.errors import ParameterInvalid

KEY_LINE_CHARS_MAX: Final = 1024
KEY_TYPE: Final = "ssh-ed25519"
_HEAD: Final = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
_POINT_BYTES: Final = 32
_BLOB_BYTES: Final = len(_HEAD) + _POINT_BYTES
_SIGNATURE_BYTES: Final = 64
_SIGNED_CHARS: Final = 68 + 1 + 88
"""A key and a signature in base64 with a colon between them."""


class SshKey(msgspec.Struct, frozen=True):
    """A public key. `blob` is its SSH wire form: the two length-prefixed strings type and point."""

    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.blob[len(_HEAD) :]).verify(signature, text)
        except InvalidSignature:
            return False
        return True


class Signed(msgspec.Struct, frozen=True):
    """What Ollama puts into `Authorization`: who signed, and the signature over a text both sides can build."""

    key: SshKey
    signature: bytes


def parse_public_key(line: str) -> SshKey:
    """Read `ssh-ed25519 AAAA… comment`, the one line of a `.pub` file.

    Raises: ParameterInvalid, which never repeats what was sent.
    """
    if "PRIVATE KEY" in line:
        raise ParameterInvalid("this is a private key; keep it secret and send the public one (the .pub file)")
    kind, _, rest = line.strip().partition(" ")
    encoded = rest.strip().partition(" ")[0]
    if len(line) > KEY_LINE_CHARS_MAX or "\n" in line.strip() or kind != KEY_TYPE:
        raise ParameterInvalid(f"ssh_public_key must be one line '{KEY_TYPE} AAAA... comment', as in id_ed25519.pub")
    key = _key(_decoded(encoded))
    if key is None:
        raise ParameterInvalid("ssh_public_key is damaged: this is not an ed25519 public key")
    return key


def parse_signed(header: str) -> Signed | None:
    """Read `<base64 key>:<base64 signature>`; None when the header is something else."""
    if len(header) != _SIGNED_CHARS:
        return None
    encoded_key, _, encoded_signature = header.partition(":")
    key, signature = _key(_decoded(encoded_key)), _decoded(encoded_signature)
    if key is None or len(signature) != _SIGNATURE_BYTES:
        return None
    return Signed(key, signature)


def _decoded(text: str) -> bytes:
    """Base64 in its one canonical spelling, so that a key has one form only; empty when it is anything else."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return content if base64.b64encode(content).decode() == text else b""


def _key(blob: bytes) -> SshKey | None:
    return SshKey(blob) if len(blob) == _BLOB_BYTES and blob.startswith(_HEAD) else None
