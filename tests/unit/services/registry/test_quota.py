"""Room in the store is reserved before it is written to, by how much is really there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.paths import StorePaths
from services.registry.quota import DISK_SPARE_BYTES, STEP_BYTES, Quota, Usage, free_bytes, usage_of
from shared.digest import digest_of
from shared.errors import StoreFull

PLENTY = 1 << 50
SIZES = st.integers(0, 1 << 40)


class Disk:
    """What a store measures, as a test says."""

    def __init__(self, *, used_bytes: int = 0, disk_free_bytes: int = PLENTY) -> None:
        self.used_bytes = used_bytes
        self.disk_free_bytes = disk_free_bytes

    def __call__(self) -> Usage:
        return Usage(used_bytes=self.used_bytes, disk_free_bytes=self.disk_free_bytes)


@given(SIZES, SIZES, SIZES, SIZES)
def test_what_is_free_never_exceeds_the_limit_or_the_disk(used: int, disk: int, reserved: int, limit: int) -> None:
    free = free_bytes(Usage(used_bytes=used, disk_free_bytes=disk), reserved_bytes=reserved, bytes_max=limit)
    assert free >= 0
    assert free == 0 or reserved + free + DISK_SPARE_BYTES <= disk
    assert free == 0 or limit == 0 or used + reserved + free <= limit


async def test_the_limit_itself_may_be_used_and_not_a_byte_more() -> None:
    quota = Quota(Disk(used_bytes=40), bytes_max=100)
    async with quota.reserve(60):
        pass
    with pytest.raises(StoreFull) as caught:
        async with quota.reserve(61):
            pass
    assert caught.value.message == "the model store is full: 61 bytes are needed and 60 are free"


async def test_reservations_add_up_until_they_end() -> None:
    quota = Quota(Disk(), bytes_max=100)
    async with quota.reserve(70):
        with pytest.raises(StoreFull):
            async with quota.reserve(40):
                pass
        async with quota.reserve(30):
            pass
    async with quota.reserve(100):
        pass


async def test_what_was_written_counts_once() -> None:
    disk = Disk()
    quota = Quota(disk, bytes_max=100)
    async with quota.reserve(70) as room:
        await room.take(60)
        disk.used_bytes += 60
        async with quota.reserve(30):
            pass
        with pytest.raises(StoreFull):
            async with quota.reserve(31):
                pass


async def test_a_stream_of_unknown_length_ends_where_the_store_is_full() -> None:
    disk = Disk()
    quota = Quota(disk, bytes_max=2 * STEP_BYTES)
    chunk = bytes(STEP_BYTES // 2)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield chunk

    async def write() -> None:
        async with quota.reserve() as room:
            async for part in room.metered(endless()):
                disk.used_bytes += len(part)

    with pytest.raises(StoreFull):
        await write()
    assert disk.used_bytes == 2 * STEP_BYTES


async def test_many_writers_never_get_more_than_there_is() -> None:
    quota = Quota(Disk(), bytes_max=100)
    granted = 0
    everybody_asked = asyncio.Barrier(20)

    async def reserve() -> None:
        nonlocal granted
        try:
            async with quota.reserve(9):
                granted += 1
                await everybody_asked.wait()
        except StoreFull:
            await everybody_asked.wait()

    await asyncio.gather(*(reserve() for _ in range(20)))
    assert granted == 11


async def test_the_disk_keeps_a_reserve_without_any_limit(paths: StorePaths) -> None:
    quota = Quota(Disk(disk_free_bytes=DISK_SPARE_BYTES + 10), bytes_max=0)
    async with quota.reserve(10):
        pass
    with pytest.raises(StoreFull):
        async with quota.reserve(11):
            pass


def test_usage_counts_files_only_where_they_are_limited(paths: StorePaths) -> None:
    paths.blob(digest_of(b"text")).write_bytes(b"text")
    assert usage_of(paths, counted=True).used_bytes == 4
    assert usage_of(paths, counted=False).used_bytes == 0
    assert usage_of(paths, counted=True).disk_free_bytes > 0
