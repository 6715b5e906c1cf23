"""The one reader of this gateway's frames: hands each event to the generation that waits for it."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.gateway import metrics
from services.gateway.admission import redis_unavailable
from services.gateway.open_generation import OpenGeneration
from shared import frames
from shared.clock import Clock
from shared.errors import Unavailable
from shared.frames import Frame
from shared.generation import RequestId

log = structlog.get_logger("corral.gateway")

SILENCE_S: Final = 3.0  # longer than Redis needs for a sign of life: it hangs
RECONNECT_S: Final = 0.2


class FrameReader:
    """Owns the table of open generations."""

    def __init__(self, redis: Redis, clock: Clock, gateway_id: str) -> None:
        self._redis = redis
        self._clock = clock
        self._gateway_id = gateway_id
        self._open: dict[RequestId, OpenGeneration] = {}
        self._connected = asyncio.Event()
        self._numbers: dict[str, int] = {}  # of each worker's last frame

    @property
    def is_connected(self) -> bool:
        """Whether frames that workers publish now reach this gateway."""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Wait until they do."""
        await self._connected.wait()

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
                # A frame was lost that somebody waits for.
                log.exception("frame_reader_failed")
                self._lost(cause)
                await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with aclosing(frames.follow(self._redis, self._gateway_id)) as followed:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    frame = await anext(followed)
                if not self._connected.is_set():
                    self._connected.set()
                    metrics.REDIS_CONNECTED.set(1)
                    log.info("frames_followed")
                if frame is not None:
                    self._hand_out(frame)

    def _hand_out(self, frame: Frame) -> None:
        last = self._numbers.get(frame.worker_id, frame.number - 1)
        if frame.number <= last:
            return  # told twice, because the worker could not know that it had arrived
        if frame.number > last + 1:
            self._missed(frame.worker_id)
        self._numbers[frame.worker_id] = frame.number
        for event in frame.events:
            generation = self._open.get(event.request_id)
            if generation is None:
                continue
            was_started = generation.is_started
            generation.push(event)
            if generation.is_started and not was_started and not generation.request.is_smoke:
                waited_s = self._clock.monotonic_s() - generation.submitted_s
                metrics.QUEUE_WAIT_SECONDS.labels(model=generation.request.model).observe(waited_s)

    def _missed(self, worker_id: str) -> None:
        """End what may lack a part of its answer."""
        log.error("frames_missed", worker_id=worker_id)
        for generation in self._open.values():
            if generation.worker_id == worker_id:
                generation.fail(Unavailable("a part of the answer was lost on its way, please try again"))

    def _lost(self, cause: Exception) -> None:
        if self.is_connected:
            log.warning("redis_lost", cause=repr(cause), open_generations=len(self._open))
        self._connected.clear()
        metrics.REDIS_CONNECTED.set(0)
        self._numbers.clear()
        for generation in self._open.values():
            generation.fail(redis_unavailable())
