"""Room in the model store: an operator's limit and the disk's. Whoever is about to write blobs reserves it first.

    async with quota.reserve(size_bytes) as room:       # StoreFull before a byte is read
        await blobs.commit(room.metered(chunks), digest)

What lies in the folder is counted afresh for every reservation, one pass over some hundred files: it is true whoever
else writes there, and nothing can drift. What was reserved and not yet written is added to it.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from services.registry import metrics
from services.registry.blob_folder import blob_files, total_bytes
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from shared.errors import StoreFull

STEP_BYTES: Final = 64 << 20
"""Room is taken in steps of this size where the size of what comes is not known."""

DISK_SPARE_BYTES: Final = 64 << 20
"""What blobs leave of the disk, so that manifests and logs can still be written."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """`used_bytes` is 0 where nothing limits them."""

    used_bytes: int
    disk_free_bytes: int


def free_bytes(usage: Usage, *, reserved_bytes: int, bytes_max: int) -> int:
    """How much may still be reserved; `bytes_max` 0 is no limit but the disk's."""
    of_disk = usage.disk_free_bytes - DISK_SPARE_BYTES
    of_store = bytes_max - usage.used_bytes if bytes_max else of_disk
    return max(0, min(of_disk, of_store) - reserved_bytes)


def usage_of(paths: StorePaths, *, counted: bool) -> Usage:
    disk = os.statvfs(paths.blobs)
    return Usage(
        used_bytes=total_bytes(blob_files(paths.blobs)) if counted else 0,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
    )


class Room:
    """One writer's reservation. Bytes that are written leave it, because from then on they lie on the disk."""

    def __init__(self, quota: "Quota") -> None:
        self._quota = quota
        self.unspent_bytes = 0

    async def extend(self, size_bytes: int) -> None:
        """Raises: StoreFull."""
        await self._quota.grant(self, size_bytes)

    async def take(self, size_bytes: int) -> None:
        """So many bytes are written now; where nobody knew of them they are reserved first.

        Raises: StoreFull.
        """
        if size_bytes > self.unspent_bytes:
            await self.extend(max(size_bytes, STEP_BYTES))
        self.unspent_bytes -= size_bytes

    async def metered(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same chunks, as long as there is room.

        Raises: StoreFull.
        """
        async for chunk in chunks:
            await self.take(len(chunk))
            yield chunk


class Quota:
    def __init__(self, measure: Callable[[], Usage], *, bytes_max: int) -> None:
        self._measure = measure
        self._bytes_max = bytes_max
        self._lock = asyncio.Lock()
        self._rooms: set[Room] = set()

    @contextlib.asynccontextmanager
    async def reserve(self, size_bytes: int = 0) -> AsyncIterator[Room]:
        """Room for `size_bytes` more, given back at the end of the block as far as it was not used.

        Raises: StoreFull.
        """
        room = Room(self)
        self._rooms.add(room)
        try:
            await room.extend(size_bytes)
            yield room
        finally:
            self._rooms.discard(room)
            metrics.STORE_FREE_BYTES.inc(room.unspent_bytes)

    async def grant(self, room: Room, size_bytes: int) -> None:
        """Raises: StoreFull."""
        async with self._lock:
            free = await self._free_bytes()
            if size_bytes > free:
                raise StoreFull(needed_bytes=size_bytes, free_bytes=free)
            room.unspent_bytes += size_bytes
            metrics.STORE_FREE_BYTES.set(free - size_bytes)

    async def look(self) -> None:
        """Tell Prometheus what is free, also while nobody writes."""
        async with self._lock:
            metrics.STORE_FREE_BYTES.set(await self._free_bytes())

    async def _free_bytes(self) -> int:
        # Before the look at the disk: what is written meanwhile counts twice rather than not at all.
        reserved_bytes = sum(other.unspent_bytes for other in self._rooms)
        usage = await on_thread(self._measure)
        return free_bytes(usage, reserved_bytes=reserved_bytes, bytes_max=self._bytes_max)
