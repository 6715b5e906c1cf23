"""The one reader of this gateway's frames: hands each event to the generation that waits for it."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.gateway.admission import redis_unavailable
from services.gateway.open_generation import OpenGeneration
from shared import frames, keys
from shared.generation import Event, RequestId

log = structlog.get_logger("corral.gateway")

BLOCK_MS: Final = 1_000
SILENCE_S: Final = 3.0  # longer than a blocking read: Redis hangs
RECONNECT_S: Final = 0.2


class FrameReader:
    """Owns the table of open generations."""

    def __init__(self, redis: Redis, gateway_id: str) -> None:
        self._redis = redis
        self._gateway_id = gateway_id
        self._open: dict[RequestId, OpenGeneration] = {}
        self.is_connected = True

    @property
    def open(self) -> Mapping[RequestId, OpenGeneration]:
        return self._open

    def add(self, generation: OpenGeneration) -> None:
        self._open[generation.request.request_id] = generation

    def remove(self, request_id: RequestId) -> None:
        self._open.pop(request_id, None)

    async def run(self) -> None:
        """Follow the frames for ever. When Redis is lost, every open generation ends with an error."""
        while True:
            try:
                await self._follow()
            except (RedisError, OSError, TimeoutError) as cause:
                self._lost(cause)
                await asyncio.sleep(RECONNECT_S)
            except Exception as cause:
                # A frame that cannot be read would be met again and again; nobody waits for the others either now.
                log.exception("frame_reader_failed")
                self._lost(cause)
                with suppress(RedisError, OSError):
                    await self._redis.delete(keys.frames(self._gateway_id))
                await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        # From the start of the stream, not from its end: a generation submitted while the connection came back must
        # miss nothing, and the events of those that ended meanwhile find nobody.
        async with aclosing(
            frames.follow(self._redis, self._gateway_id, block_ms=BLOCK_MS, from_start=True)
        ) as followed:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    events = await anext(followed)
                if not self.is_connected:
                    self.is_connected = True
                    log.info("redis_regained")
                self._hand_out(events)

    def _hand_out(self, events: list[Event]) -> None:
        for event in events:
            generation = self._open.get(event.request_id)
            if generation is not None:
                generation.push(event)

    def _lost(self, cause: Exception) -> None:
        if self.is_connected:
            log.warning("redis_lost", cause=repr(cause), open_generations=len(self._open))
        self.is_connected = False
        for generation in self._open.values():
            generation.fail(redis_unavailable())
