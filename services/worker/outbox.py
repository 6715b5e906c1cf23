"""Events on their way to the gateways: what piles up while Redis is busy leaves as one numbered frame."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import frames
from shared.frames import Frame
from shared.generation import Event

log = structlog.get_logger("corral.worker")

RETRY_S: Final = 0.5
EVENTS_MAX: Final = 100_000
"""Beyond this many unsent events of a gateway (Redis is long gone) its events are dropped; it has given up as well."""


class Outbox:
    """Collects events per gateway; `run` sends them in order."""

    def __init__(self, redis: Redis, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._pending: dict[str, list[Event]] = defaultdict(list)
        self._unsent: dict[str, Frame] = {}  # told again as it was, because it may have arrived
        self._numbers: Counter[str] = Counter()
        self._filled = asyncio.Event()
        self._sending = asyncio.Lock()  # one sender at a time keeps a gateway's events in order

    def put(self, gateway_id: str, events: Iterable[Event]) -> None:
        pending = self._pending[gateway_id]
        pending.extend(events)
        if len(pending) > EVENTS_MAX:
            log.error("frames_dropped", gateway_id=gateway_id, events_count=len(pending))
            pending.clear()
            self._numbers[gateway_id] += 1  # a number that never comes tells the gateway
        self._filled.set()

    async def run(self) -> None:
        """Send until cancelled; Redis may come and go."""
        while True:
            await self._filled.wait()
            try:
                await self.flush()
            except (RedisError, OSError) as cause:
                log.warning("frames_delayed", cause=str(cause))
                self._filled.set()
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Send everything there is now.

        Raises: RedisError, OSError (what was not sent stays).
        """
        async with self._sending:
            self._filled.clear()
            while self._unsent or self._pending:
                if not self._unsent:
                    self._frame(next(iter(self._pending)))
                gateway_id, frame = next(iter(self._unsent.items()))
                await frames.publish(self._redis, gateway_id, frame)
                del self._unsent[gateway_id]

    def _frame(self, gateway_id: str) -> None:
        """Make everything that waits for a gateway its next frame."""
        self._numbers[gateway_id] += 1
        self._unsent[gateway_id] = Frame(self._worker_id, self._numbers[gateway_id], self._pending.pop(gateway_id))

    async def close(self) -> None:
        """Send the rest, if Redis lets us."""
        with contextlib.suppress(RedisError, OSError):
            await self.flush()
