"""Chunks of a download gathered into blocks; one block is on its way to the disk while the next one gathers."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

from services.registry.publishing import undivided

BLOCK_BYTES: Final = 1 << 20
"""Written at once, and then claimed in its part's state. Two of them, and what the connection has buffered, are what
the death of the process costs a range."""


class BlockWriter:
    """Blocks are written in order. Leaving the block writes what is left, also after a failure or a cancellation, and
    nothing is being written any more once it was left."""

    def __init__(self, write: Callable[[list[bytes]], Coroutine[Any, Any, None]]) -> None:
        self._write = write
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def take(self, chunk: bytes) -> None:
        """Raises: whatever an earlier block's write raised; nothing is written after that."""
        self._gathered.append(chunk)
        self._gathered_bytes += len(chunk)
        if self._gathered_bytes >= BLOCK_BYTES:
            await self._settle()
            self._writing = asyncio.create_task(self._write(self._taken()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A thread that still wrote when the file is closed would write into whatever file got its descriptor next.
        await undivided(self._finish())

    async def _finish(self) -> None:
        await self._settle()
        if self._gathered:
            await self._write(self._taken())

    async def _settle(self) -> None:
        """Wait for the block under way. Whoever is cancelled in `take` meanwhile waits for it on leaving."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.result()

    def _taken(self) -> list[bytes]:
        block, self._gathered, self._gathered_bytes = self._gathered, [], 0
        return block
