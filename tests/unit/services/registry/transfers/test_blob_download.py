"""One blob's download: from a source in memory, onto a real disk."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.registry.blob_store import BlobStore
from services.registry.paths import StorePaths
from services.registry.quota import Quota, Usage
from services.registry.transfers.blob_download import BlobDownloads, DownloadLimits
from services.registry.transfers.partial_files import missing_bytes
from shared.digest import Digest, digest_of
from shared.errors import StoreFull, UpstreamFailed, UpstreamUnknown

CONTENT = bytes(range(256)) * 40_000
DIGEST = digest_of(CONTENT)
PART_BYTES = 1 << 20
PIECE_BYTES = 100_000


class Memory:
    """A source; `failures` are raised after one piece each, in turn. `busiest` is the most ranges read at once."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.ranges: list[tuple[int, int]] = []
        self.busy = self.busiest = 0

    @contextlib.asynccontextmanager
    async def blob_range(self, _digest: Digest, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
        self.ranges.append((start, end))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            yield self._pieces(start, end)
        finally:
            self.busy -= 1

    async def _pieces(self, start: int, end: int) -> AsyncIterator[bytes]:
        failure = self.failures.pop() if self.failures else None
        for position in range(start, end, PIECE_BYTES):
            await asyncio.sleep(0)
            yield CONTENT[position : min(position + PIECE_BYTES, end)]
            if failure is not None:
                raise failure


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path)
    paths.create_folders()
    return paths


@pytest.fixture
def source() -> Memory:
    return Memory()


async def fetch(paths: StorePaths, source: Memory, *, free_bytes: int = 1 << 30, ranges_count: int = 3) -> list[int]:
    """Download the blob; returns what was told."""
    told: list[int] = []
    limits = DownloadLimits(ranges_count=ranges_count, part_bytes=PART_BYTES)
    downloads = BlobDownloads(paths, BlobStore(paths), limits)
    quota = Quota(lambda: Usage(used_bytes=0, disk_free_bytes=1 << 40), bytes_max=free_bytes)
    async with quota.reserve() as room:
        await downloads.fetch(source, DIGEST, len(CONTENT), room=room, tell=told.append)
    return told


async def test_what_is_told_grows_to_the_blobs_size(paths: StorePaths, source: Memory) -> None:
    told = await fetch(paths, source)
    assert paths.blob(DIGEST).read_bytes() == CONTENT
    assert (told[0], told[-1]) == (0, len(CONTENT))
    assert told == sorted(told)


async def test_ranges_are_read_side_by_side_but_not_more_than_allowed(paths: StorePaths, source: Memory) -> None:
    await fetch(paths, source, ranges_count=3)
    assert source.busiest == 3
    assert [start for start, _ in source.ranges] == list(range(0, len(CONTENT), PART_BYTES))


async def test_failures_that_gain_something_are_borne_without_end(
    paths: StorePaths, source: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.transfers.retries.PAUSE_S_MAX", 0.0)
    source.failures = [UpstreamFailed("cut") for _ in range(60)]
    await fetch(paths, source)
    assert paths.blob(DIGEST).read_bytes() == CONTENT
    # Every range that was asked for again begins where the one before was cut.
    assert source.failures == []
    assert len(set(source.ranges)) == len(source.ranges) > 60


async def test_a_refusal_ends_it_and_what_has_arrived_stays(paths: StorePaths, source: Memory) -> None:
    source.failures = [UpstreamUnknown()]
    with pytest.raises(UpstreamUnknown):
        await fetch(paths, source, ranges_count=1)
    assert missing_bytes(paths, DIGEST, len(CONTENT)) == len(CONTENT) - PIECE_BYTES


async def test_a_store_that_fills_up_ends_it(paths: StorePaths, source: Memory) -> None:
    with pytest.raises(StoreFull):
        await fetch(paths, source, free_bytes=1000)
    assert not paths.blob(DIGEST).exists()


async def test_a_disk_that_fills_up_ends_it(paths: StorePaths, source: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwritev", no_space)
    with pytest.raises(StoreFull):
        await fetch(paths, source)
    monkeypatch.undo()
    assert missing_bytes(paths, DIGEST, len(CONTENT)) == len(CONTENT)
    await fetch(paths, source)
    assert paths.blob(DIGEST).read_bytes() == CONTENT
