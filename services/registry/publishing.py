"""Files that appear whole or not at all: written under a name of their own, synced, then renamed. Blocking work
goes to a thread."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

WRITE_BYTES: Final = 1 << 20
"""Chunks are gathered to this size, so that a thread is asked once a MiB and not once a network read."""


async def on_thread(function: Callable[..., T], *args: object) -> T:
    """Run blocking work beside the event loop; a cancelled caller leaves only after the work has ended.

    Without that, a file could be closed and removed while the thread still writes to it.
    """
    return await undivided(asyncio.to_thread(function, *args))


async def undivided(steps: Coroutine[Any, Any, T]) -> T:
    """All of the steps or none: a cancelled caller leaves only after the last one."""
    work = asyncio.ensure_future(steps)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise


async def gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces, none of them empty. A last piece is lost when `chunks` raises."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= WRITE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def write_all(file: FileIO, content: bytes) -> None:
    """Write every byte to an unbuffered file, or raise."""
    rest = memoryview(content)
    while rest:
        written = file.write(rest)
        assert written is not None, "the file blocks"
        rest = rest[written:]


def publish(path: Path, target: Path) -> None:
    """Give a file its final name, replacing what had it; after a power cut it is there whole or not at all."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Upload:
    """A file in the making. Leaving the block removes it unless it was published."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Unbuffered: chunks are large, and a failing write must fail at the write.
        self._file = path.open("xb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        write_all(self._file, content)

    def publish(self, target: Path) -> None:
        publish(self._path, target)
