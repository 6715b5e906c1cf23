"""The steps of a build on their way to whoever watches: told from anywhere in the work, read by one.

A watcher may be slower than the work. Of a step that only moves on (the same status and digest) the newest state
waits, so what waits is bounded by the number of different steps.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from services.registry.transfers.progress import Progress

Tell = Callable[[Progress], None]


class _Steps:
    def __init__(self) -> None:
        self._waiting: deque[Progress] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    def tell(self, step: Progress) -> None:
        newest = self._waiting[-1] if self._waiting else None
        if newest is not None and (newest.status, newest.digest) == (step.status, step.digest):
            self._waiting.pop()
        self._waiting.append(step)
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def next(self) -> Progress | None:
        """The next step; None when there will be no more."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


async def steps_of(work: Callable[[Tell], Awaitable[None]]) -> AsyncGenerator[Progress, None]:
    """Do the work and yield the steps it tells; leaving early cancels it.

    Raises: whatever the work does, after its last step.
    """
    steps = _Steps()

    async def doing() -> None:
        try:
            await work(steps.tell)
        finally:
            steps.end()

    task = asyncio.create_task(doing())
    try:
        while (step := await steps.next()) is not None:
            yield step
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # whoever left early does not want to hear of it
