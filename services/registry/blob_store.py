"""Blobs by digest: commit, open, stat, list, delete. Bytes are verified on their way in. HTTP is the handlers'."""

import contextlib
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from services.registry.blob_folder import BlobFile, blob_files
from services.registry.paths import StorePaths
from services.registry.publishing import Upload, gathered, on_thread
from shared.digest import Digest, HashingCopy, digest_of, hex_of
from shared.errors import BlobMissing, BlobUnknown, DigestMismatch, ModelFileInvalid

LAYER_BYTES_MAX: Final = 16 << 20
"""The largest layer (template, licence, parameters ...) that is read into memory."""


def missing(digest: Digest) -> BlobMissing:
    """The error for a blob that a manifest or an earlier step promised; not the client's fault, so no 404."""
    return BlobMissing(f"open sha256-{hex_of(digest)}: no such file or directory")


class BlobStore:
    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths

    async def commit(self, chunks: AsyncIterator[bytes], wanted: Digest) -> int:
        """Store a blob; readers see all of it or nothing. Returns its size in bytes.

        Raises: DigestMismatch, or whatever `chunks` raises; either way nothing stays behind.
        """
        copied = HashingCopy()
        with Upload(self._paths.new_upload()) as upload:

            def write(content: bytes) -> None:
                copied.update(content)
                upload.write(content)

            async for piece in gathered(chunks):
                await on_thread(write, piece)
            if copied.digest != wanted:
                raise DigestMismatch(wanted=wanted, got=copied.digest)
            await on_thread(upload.publish, self._paths.blob(wanted))
        return copied.size_bytes

    async def commit_bytes(self, content: bytes) -> tuple[Digest, bool]:
        """Store content that is in memory; returns its digest and whether it is new."""
        digest = digest_of(content)
        if self.size_bytes(digest) == len(content):
            return digest, False

        async def whole() -> AsyncIterator[bytes]:
            yield content

        await self.commit(whole(), digest)
        return digest, True

    def size_bytes(self, digest: Digest) -> int | None:
        """The blob's size; None when it is not here."""
        try:
            return self._paths.blob(digest).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob that should be here.

        Raises: BlobMissing.
        """
        try:
            return self._paths.blob(digest).open("rb")
        except FileNotFoundError as cause:
            raise missing(digest) from cause

    def path(self, digest: Digest) -> Path:
        """Where the blob lies, for a client that asks whether it is here.

        Raises: BlobUnknown.
        """
        if self.size_bytes(digest) is None:
            raise BlobUnknown(f"blob {digest} is not in the store")
        return self._paths.blob(digest)

    def read(self, digest: Digest) -> bytes:
        """A small blob's content.

        Raises: BlobMissing, ModelFileInvalid when it is too large to be a layer of text.
        """
        with self.open(digest) as file:
            content = file.read(LAYER_BYTES_MAX + 1)
        if len(content) > LAYER_BYTES_MAX:
            raise ModelFileInvalid(f"layer {digest} is larger than {LAYER_BYTES_MAX} bytes")
        return content

    def files(self) -> tuple[BlobFile, ...]:
        """Everything in the folder, unfinished files and strangers too."""
        return blob_files(self._paths.blobs)

    def age_s(self, digest: Digest, now_unix_s: float) -> float:
        """Since the blob or its entry changed; infinite for one that is not here."""
        try:
            facts = self._paths.blob(digest).stat()
        except FileNotFoundError:
            return math.inf
        return now_unix_s - max(facts.st_mtime, facts.st_ctime)

    def touch(self, digest: Digest) -> None:
        """Let the blob count as new, so that the collection leaves it for its grace period."""
        # Gone already, or written by another user, whose file times cannot be set: then it just looks older.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.utime(self._paths.blob(digest))

    def delete(self, digest: Digest) -> None:
        """Remove the blob; harmless when it is gone already."""
        self._paths.blob(digest).unlink(missing_ok=True)
