"""Files that appear whole or not at all: written under a name of their own, synced, then renamed."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


async def on_thread(function: Callable[..., T], *args: object) -> T:
    """Run blocking work beside the event loop; a cancelled caller leaves only after the work has ended.

    Without that, a file could be closed and removed while the thread still writes to it.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise


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
        rest = memoryview(content)
        while rest:
            written = self._file.write(rest)
            assert written is not None, "the file blocks"
            rest = rest[written:]

    def publish(self, target: Path) -> None:
        """Give the file its final name, replacing what had it; after a power cut it is there whole or not at all."""
        os.fsync(self._file.fileno())
        self._path.rename(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
