"""What is told of a store that cannot be written to, or does not answer at all."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fakes.clock import FakeClock
from fakes.polling import until
from services.registry.store_watch import ANSWER_S_MAX, StoreWatch, try_to_write


class Disk:
    """One that may be full, read-only, or gone to sleep."""

    def __init__(self) -> None:
        self.refusal: int | None = None
        self.is_awake = threading.Event()
        self.is_awake.set()

    def look(self) -> None:
        self.is_awake.wait(10)
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal), "/models/blobs")


async def test_a_store_is_no_problem_once_it_was_written_to(clock: FakeClock) -> None:
    watch = StoreWatch(Disk().look, clock)
    assert watch.problem == "the model store has not been looked at yet"
    await watch.once()
    assert watch.problem is None


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (errno.EROFS, "Read-only file system"),
        (errno.ENOSPC, "No space left on device"),
        (errno.EACCES, "Permission denied"),
    ],
)
async def test_what_the_disk_says_is_told_until_it_says_so_no_longer(
    clock: FakeClock, refusal: int, words: str
) -> None:
    disk = Disk()
    watch = StoreWatch(disk.look, clock)
    disk.refusal = refusal
    with capture_logs() as logs:
        await watch.once()
        await watch.once()
    assert watch.problem == f"the model store cannot be written to: {words}"
    assert [entry["event"] for entry in logs] == ["store_refused"], "told once"
    disk.refusal = None
    await watch.once()
    assert watch.problem is None


async def test_a_disk_that_hangs_is_told_without_hanging_whoever_asks(clock: FakeClock) -> None:
    disk = Disk()
    watch = StoreWatch(disk.look, clock)
    await watch.once()
    disk.is_awake.clear()
    looking = asyncio.create_task(watch.once())
    await asyncio.sleep(0)
    clock.advance(ANSWER_S_MAX)
    assert watch.problem is None
    clock.advance(2)
    assert watch.problem == "the model store has not answered for 12 s"
    disk.is_awake.set()
    await looking
    assert watch.problem is None


async def test_it_looks_again_and_again(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.registry.store_watch.LOOK_INTERVAL_S", 0.001)
    disk = Disk()
    watch = StoreWatch(disk.look, clock)
    watching = asyncio.create_task(watch.run())
    await until(lambda: watch.problem is None)
    disk.refusal = errno.EROFS
    await until(lambda: watch.problem is not None)
    watching.cancel()
    await asyncio.wait([watching])


def test_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    try_to_write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        try_to_write(tmp_path / "blobs")
