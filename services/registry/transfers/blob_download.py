"""One blob from another registry into the store: several ranges at once, gone on with after anything, verified.

for each content:   fetchers ──append──► partial file ◄──reads── digest
                    wrong digest: thrown away and fetched again; right: published
"""

import asyncio
import errno
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from weakref import WeakValueDictionary

import msgspec
import structlog

from services.registry import metrics
from services.registry.blob_store import BlobStore
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from services.registry.quota import Room
from services.registry.transfers.block_writer import BlockWriter
from services.registry.transfers.partial_files import PartialFile
from services.registry.transfers.prefix_hash import PrefixHash
from services.registry.transfers.retries import Patience, retried
from shared.digest import Digest
from shared.errors import CorralError, DownloadCorrupt, StoreFull, UpstreamFailed

log = structlog.get_logger("corral.registry")

CONTENTS_MAX: Final = 3
"""How often a blob is fetched as a whole before its registry is blamed for a wrong digest."""

SYNC_BYTES: Final = 128 << 20
"""What has arrived goes to the disk in steps of this size while more arrives: publishing then waits for little."""

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Source(Protocol):
    """Where the blob comes from."""

    def blob_range(self, digest: Digest, start: int, end: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


class DownloadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many ranges of a blob are fetched at the same time, and how large each is."""

    ranges_count: int
    part_bytes: int


class BlobDownloads:
    """The process's downloads. One blob is downloaded once, however many models need it at the same time."""

    def __init__(self, paths: StorePaths, blobs: BlobStore, limits: DownloadLimits) -> None:
        self._paths = paths
        self._blobs = blobs
        self._limits = limits
        self._turns: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()

    async def fetch(
        self, source: Source, digest: Digest, size_bytes: int, *, room: Room, tell: Callable[[int], None]
    ) -> None:
        """Have the blob in the store; `tell` hears how many of its bytes are there.

        Raises: UpstreamFailed after too many failures, UpstreamUnknown, UpstreamRefused, UpstreamForbidden, StoreFull
            (in these cases what has arrived stays for another time); DownloadCorrupt.
        """
        turn = self._turns.setdefault(digest, asyncio.Lock())
        async with turn:
            if self._blobs.size_bytes(digest) == size_bytes:
                tell(size_bytes)
                return
            # A process that is stopping may still hold the file for a moment.
            with await retried(lambda: self._take(digest, size_bytes)) as file:
                await on_thread(file.prepare, self._limits.part_bytes)
                await self._fill(file, source, digest, room, tell)
                await on_thread(file.publish)

    async def _take(self, digest: Digest, size_bytes: int) -> PartialFile:
        return PartialFile(self._paths, digest, size_bytes)

    async def _fill(
        self, file: PartialFile, source: Source, digest: Digest, room: Room, tell: Callable[[int], None]
    ) -> None:
        """Return when the file has the right content."""
        for _ in range(CONTENTS_MAX):
            content = _Content(file, source, digest, room, tell)
            got = await content.receive(self._limits.ranges_count)
            if got == digest:
                return
            metrics.CORRUPT_DOWNLOADS.inc()
            log.warning("content_discarded", digest=digest, got=got)
            await on_thread(file.discard)
        raise DownloadCorrupt(wanted=digest, got=got)


class _Content:
    """One attempt at a blob's content."""

    def __init__(
        self, file: PartialFile, source: Source, digest: Digest, room: Room, tell: Callable[[int], None]
    ) -> None:
        self._file = file
        self._source = source
        self._digest = digest
        self._room = room
        self._tell = tell
        self._hash = PrefixHash(file)
        self._unsynced_bytes = 0
        self._sync_due = asyncio.Event()
        self._waiting = deque(index for index, part in enumerate(file.parts) if not part.is_complete)

    async def receive(self, ranges_count: int) -> Digest:
        """Fetch what is missing; returns the digest of the whole."""
        self._tell(self._file.completed_bytes)
        try:
            async with asyncio.TaskGroup() as group:
                hashing = group.create_task(self._hash.run())
                syncing = group.create_task(self._sync_behind())
                for _ in range(min(ranges_count, len(self._waiting))):
                    group.create_task(self._fetch_parts())
                digest = await hashing
                syncing.cancel()
        except* CorralError as errors:
            # They fail together and for one reason; the first says it.
            raise _first(errors) from None
        return digest

    async def _sync_behind(self) -> None:
        while True:
            await self._sync_due.wait()
            self._sync_due.clear()
            await on_thread(self._file.sync)

    async def _fetch_parts(self) -> None:
        while self._waiting:
            await self._fetch_part(self._waiting.popleft())

    async def _fetch_part(self, index: int) -> None:
        patience = Patience()
        while not self._file.parts[index].is_complete:
            before = self._file.parts[index].completed
            try:
                await self._receive_part(index)
            except UpstreamFailed as failure:
                log.info("range_failed", digest=self._digest, part=index, reason=failure.message)
                await patience.bear(failure, gained=self._file.parts[index].completed > before)

    async def _receive_part(self, index: int) -> None:
        """Fetch what the part still lacks; what arrives before a failure is kept."""
        part = self._file.parts[index]
        async with (
            BlockWriter(lambda block: self._append(index, block)) as writer,
            self._source.blob_range(self._digest, part.position, part.end) as chunks,
        ):
            async for chunk in chunks:
                await writer.take(chunk)

    async def _append(self, index: int, block: list[bytes]) -> None:
        size_bytes = sum(map(len, block))
        await self._room.take(size_bytes)
        try:
            await on_thread(self._file.append, index, block)
        except OSError as cause:
            if cause.errno in DISK_FULL:
                raise StoreFull(needed_bytes=size_bytes, free_bytes=0) from cause
            raise
        metrics.TRANSFER_BYTES.labels(direction="received").inc(size_bytes)
        self._tell(self._file.completed_bytes)
        self._hash.grown()
        self._unsynced_bytes += size_bytes
        if self._unsynced_bytes >= SYNC_BYTES:
            self._unsynced_bytes = 0
            self._sync_due.set()


def _first(errors: BaseExceptionGroup[CorralError]) -> CorralError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, CorralError), "the group was narrowed to these"
    return error
