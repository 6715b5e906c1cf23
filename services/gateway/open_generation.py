"""One generation that a client waits for, as the gateway holds it: its current attempt and the events not yet read.

The frame reader and the watchdog push events, the handler reads them in batches; all on one event loop, no locks.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from shared.errors import CorralError, RunnerDied, Unavailable
from shared.generation import Delta, Event, Failed, Finished, GenerationRequest, Started

EVENTS_UNREAD_MAX: Final = 100_000


class OpenGeneration:
    """`request` is the attempt whose events count; older attempts' events are dropped.

    `arrived` is set with every event; generations that are read together have one in common.
    """

    def __init__(self, request: GenerationRequest, *, now_s: float, arrived: asyncio.Event | None = None) -> None:
        self.request = request
        self.submitted_s = now_s
        self.not_waiting_since_s: float | None = None  # set by the watchdog when the job has left its queue
        self.worker_id: str | None = None
        self.runner_died = False
        self.has_output = False
        self.ended_by_worker = False
        self._unread: list[Event] = []
        self._is_over = False
        self._arrived = arrived or asyncio.Event()

    @property
    def is_started(self) -> bool:
        return self.worker_id is not None

    @property
    def is_over(self) -> bool:
        """Whether its last event has arrived, from a worker or from here."""
        return self._is_over

    def push(self, event: Event) -> None:
        """Take one event of the current attempt; nothing counts after the last one."""
        if event.attempt != self.request.attempt or self.is_over:
            return
        if isinstance(event, Failed) and event.error.code == RunnerDied.code and not self.has_output:
            # The worker is alive but the model's process is not, or the worker leaves: the watchdog decides.
            self.runner_died = True
            return
        match event:
            case Started():
                self.worker_id = event.worker_id
            case Delta():
                self.has_output = True
            case Finished() | Failed():
                self.ended_by_worker = True
        self._put(event)
        if len(self._unread) > EVENTS_UNREAD_MAX:
            self.fail(Unavailable("the client reads its stream too slowly"))

    def fail(self, error: CorralError) -> None:
        """End it from here, because no worker will."""
        if not self.is_over:
            request = self.request
            self._put(Failed(request_id=request.request_id, attempt=request.attempt, error=error.info()))

    def next_attempt(self, now_s: float) -> GenerationRequest:
        """Forget the current attempt, of which no client has seen anything, and give the next one."""
        assert not self.has_output, "an attempt with output cannot be repeated"
        self.request = msgspec.structs.replace(self.request, attempt=self.request.attempt + 1)
        self.worker_id = None
        self.runner_died = False
        self.not_waiting_since_s = None
        self.submitted_s = now_s
        return self.request

    async def batches(self) -> AsyncIterator[list[Event]]:
        """All events in order, each time as many as have arrived; ends after Finished or Failed."""
        while not self._is_over or self._unread:
            if not self._unread:
                self._arrived.clear()
                await self._arrived.wait()
            yield self.take()

    def take(self) -> list[Event]:
        """All events that have arrived and were not taken yet, in order."""
        batch, self._unread = self._unread, []
        return batch

    def _put(self, event: Event) -> None:
        self._unread.append(event)
        self._is_over = isinstance(event, Finished | Failed)
        self._arrived.set()
