"""Blobs that are made here: room is reserved, the work writes beside the store's blobs, the result gets its digest."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import Final, Self

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.building.merging import Piece, Span
from services.registry.library import ModelLibrary
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread, publish, write_all
from services.registry.quota import Quota
from shared.digest import Digest, HashingCopy
from shared.errors import InternalError

COPY_BYTES: Final = 16 << 20
"""What a thread reads or writes at a time; between two of them the work can be cancelled."""


class DerivedBlob(msgspec.Struct, frozen=True, kw_only=True):
    digest: Digest
    size_bytes: int


class DerivedBlobs:
    """Makes blobs for one build. They are held, so that none is collected, until the block around it ends."""

    def __init__(self, paths: StorePaths, blobs: BlobStore, library: ModelLibrary, quota: Quota) -> None:
        self._paths = paths
        self._blobs = blobs
        self._library = library
        self._quota = quota
        self._holds = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._holds.aclose()

    async def hold(self, digests: Iterable[Digest]) -> None:
        await self._holds.enter_async_context(self._library.hold(digests))

    async def make(self, work: Callable[[Path], Awaitable[None]], *, bytes_max: int) -> DerivedBlob:
        """Let `work` write a file and store it as a blob.

        Raises: StoreFull when there is no room for `bytes_max`, or whatever `work` raises; nothing stays behind.
        """
        output = self._paths.new_upload()
        try:
            async with self._quota.reserve(bytes_max):
                await work(output)
                made = await _described(output)
                await self.hold([made.digest])
                await on_thread(publish, output, self._paths.blob(made.digest))
        finally:
            output.unlink(missing_ok=True)
        return made


async def write_pieces(pieces: Iterable[Piece], output: Path) -> None:
    """Put a file together; cancelling leaves it unfinished."""
    with output.open("xb", buffering=0) as target:
        for piece in pieces:
            if isinstance(piece, Span):
                await _copy(piece, target)
            else:
                await on_thread(write_all, target, piece)


async def _copy(span: Span, target: FileIO) -> None:
    with span.path.open("rb", buffering=0) as source:
        source.seek(span.start_bytes)
        left_bytes = span.size_bytes
        while left_bytes:
            content = await on_thread(source.read, min(COPY_BYTES, left_bytes))
            if not content:
                raise InternalError(f"{span.path.name} is shorter than it was")
            await on_thread(write_all, target, content)
            left_bytes -= len(content)


async def _described(path: Path) -> DerivedBlob:
    copied = HashingCopy()

    def hash_some(file: FileIO) -> bool:
        content = file.read(COPY_BYTES)
        copied.update(content)
        return bool(content)

    with path.open("rb", buffering=0) as file:
        while await on_thread(hash_some, file):
            pass
    return DerivedBlob(digest=copied.digest, size_bytes=copied.size_bytes)
