"""The generations of one reply, read together: most replies have one, OpenAI's may have several."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from services.gateway.open_generation import OpenGeneration
from shared.generation import Event


class OpenGenerations:
    """Gives the events of several generations as they arrive, and says when nothing arrives for long.

    `arrived` is the event all of them set. Quiet is told by a clock that ticks every `quiet_s` while the block lasts,
    so that the many waits between tokens cost no timer each.
    """

    def __init__(self, generations: Sequence[OpenGeneration], arrived: asyncio.Event, *, quiet_s: float) -> None:
        self.generations = generations
        self._arrived = arrived
        self._quiet_s = quiet_s
        self._has_ticked = False
        self._has_heard = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(self._quiet_s, self._tick)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def is_started(self) -> bool:
        """Whether a worker is at work on any of them."""
        return any(one.is_started for one in self.generations)

    async def batches(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """All events, each with the index of its generation, as many at a time as have arrived.

        An empty batch says that nothing has arrived between two ticks. Ends when all generations have.
        """
        while True:
            batch = [(index, event) for index, one in enumerate(self.generations) for event in one.take()]
            if batch:
                self._has_heard = True
                is_last = all(one.is_over for one in self.generations)
                yield batch
                if is_last:
                    return
            elif self._is_quiet():
                yield batch
            else:
                self._arrived.clear()
                await self._arrived.wait()

    def _is_quiet(self) -> bool:
        """Whether a tick came after a time without events."""
        if not self._has_ticked:
            return False
        is_quiet = not self._has_heard
        self._has_ticked = self._has_heard = False
        return is_quiet

    def _tick(self) -> None:
        self._has_ticked = True
        self._arrived.set()
        self._timer = asyncio.get_running_loop().call_later(self._quiet_s, self._tick)
