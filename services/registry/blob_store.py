"""Blobs by digest: commit, open, stat, delete. Bytes are verified on their way in. HTTP and references are others'."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from services.registry.paths import StorePaths
from services.registry.publishing import Upload, on_thread
from shared.digest import Digest, HashingCopy, digest_of, hex_of
from shared.errors import BlobUnknown, DigestMismatch, InternalError, ModelFileInvalid

WRITE_BYTES: Final = 1 << 20
"""Chunks are gathered to this size, so that a thread is asked once a MiB and not once a network read."""

LAYER_BYTES_MAX: Final = 16 << 20
"""The largest layer (template, licence, parameters ...) that is read into memory."""


def missing(digest: Digest) -> InternalError:
    """The error for a blob that a manifest or an earlier step promised; not the client's fault, so no 404."""
    return InternalError(f"open sha256-{hex_of(digest)}: no such file or directory")


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

            gathered = bytearray()
            async for chunk in chunks:
                gathered += chunk
                if len(gathered) >= WRITE_BYTES:
                    await on_thread(write, bytes(gathered))
                    gathered.clear()
            await on_thread(write, bytes(gathered))
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

        Raises: InternalError when it is not.
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

        Raises: InternalError when it is missing, ModelFileInvalid when it is too large to be a layer of text.
        """
        with self.open(digest) as file:
            content = file.read(LAYER_BYTES_MAX + 1)
        if len(content) > LAYER_BYTES_MAX:
            raise ModelFileInvalid(f"layer {digest} is larger than {LAYER_BYTES_MAX} bytes")
        return content

    def delete(self, digest: Digest) -> None:
        """Remove the blob; harmless when it is gone already."""
        self._paths.blob(digest).unlink(missing_ok=True)
