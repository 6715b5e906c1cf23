"""One generation's life: submit, follow, withdraw. Leaving the block ends the work, whatever the reason. Not HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from redis.exceptions import RedisError

from services.gateway import admission, metrics
from services.gateway.admission import Limits, Load, Reject
from services.gateway.cluster_view import ClusterView, ModelProgress, progress_of
from services.gateway.frame_reader import FrameReader
from services.gateway.generation_requests import cost_of
from services.gateway.open_generation import OpenGeneration
from services.gateway.open_generations import OpenGenerations
from services.gateway.redis_guard import redis_guard
from shared.clock import Clock
from shared.digest import Digest
from shared.errors import QueueFull, RemoteError, Unavailable
from shared.generation import Delta, Failed, Finished, GenerationRequest, RequestId
from shared.generation_queue import GenerationQueue

log = structlog.get_logger("corral.gateway")

RESUBMIT_DEPTH_MAX = 1 << 31  # what was admitted once is not refused when its worker is lost
RESUBMIT_COST = 1  # its user has been charged already


class Dispatcher:
    """Owns this gateway's jobs in the queues: what it submits it also withdraws, unless a worker ended it."""

    def __init__(
        self,
        *,
        queue: GenerationQueue,
        reader: FrameReader,
        cluster: ClusterView,
        clock: Clock,
        limits: Limits,
        queue_depth_max: int,
        redis_wait_s: float,
        heartbeat_s: float,
        model_is_wanted: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._reader = reader
        self._cluster = cluster
        self._clock = clock
        self._limits = limits
        self._queue_depth_max = queue_depth_max
        self._redis_wait_s = redis_wait_s
        self.heartbeat_s = heartbeat_s
        self._model_is_wanted = model_is_wanted
        self._left_behind: dict[RequestId, Digest] = {}

    @asynccontextmanager
    async def generations(self, requests: Sequence[GenerationRequest]) -> AsyncIterator[OpenGenerations]:
        """Submit the jobs of one reply and give their events; on leaving, those no worker has ended are withdrawn.

        Raises: QueueFull, Unavailable (nothing was left in the queue).
        """
        arrived = asyncio.Event()
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(self.generation(one, arrived=arrived)) for one in requests]
            with OpenGenerations(opened, arrived, quiet_s=self.heartbeat_s) as together:
                yield together

    @asynccontextmanager
    async def generation(
        self, request: GenerationRequest, *, arrived: asyncio.Event | None = None
    ) -> AsyncIterator[OpenGeneration]:
        """Submit the job and give its events; on leaving, a job no worker has ended is withdrawn.

        Raises: QueueFull, Unavailable (nothing was left in the queue).
        """
        self._admit()
        opened = OpenGeneration(request, now_s=self._clock.monotonic_s(), arrived=arrived)
        self._reader.add(opened)
        metrics.OPEN_GENERATIONS.inc()
        try:
            await self._submit_whole(request)
            if not self._cluster.is_resident(request.weights):
                self._model_is_wanted()
            yield opened
        finally:
            metrics.OPEN_GENERATIONS.dec()
            self._reader.remove(request.request_id)
            if not opened.ended_by_worker:
                await self.withdraw(request.request_id, request.weights)

    async def whole(self, request: GenerationRequest) -> tuple[str, Finished]:
        """Text and end of a generation that nobody watches.

        Raises: QueueFull, Unavailable (nothing was left in the queue); RemoteError when the generation failed.
        """
        texts: list[str] = []
        async with self.generation(request) as opened:
            async for batch in opened.batches():
                for event in batch:
                    match event:
                        case Delta():
                            texts.append(event.piece.text)
                        case Finished():
                            return "".join(texts), event
                        case Failed():
                            raise RemoteError(event.error)
        raise AssertionError("a generation ends with Finished or Failed")

    def progress(self, opened: OpenGenerations) -> ModelProgress:
        """How near the model is to answering."""
        weights = opened.generations[0].request.weights
        return progress_of(weights, self._cluster.workers.values(), now_unix_ms=self._clock.unix_ms())

    async def position(self, opened: OpenGenerations) -> int | None:
        """The best place in the queue, counted from 1, among those that wait; None when none does or none knows."""
        jobs = [one.request for one in opened.generations if not one.is_started]
        try:
            async with redis_guard(self._redis_wait_s):
                places = [await self._queue.position(job.request_id, job.weights) for job in jobs]
        except Unavailable:
            return None
        return min((place for place in places if place is not None), default=None)

    async def resubmit(self, generation: OpenGeneration) -> None:
        """Queue the next attempt of a generation whose worker was lost before any output.

        The lost one is told to stop all the same: it may only have been slow.
        """
        await self._queue.cancel(generation.request.request_id, generation.request.weights)
        request = generation.next_attempt(self._clock.monotonic_s())
        await self._queue.submit(
            request, cost=RESUBMIT_COST, depth_max=RESUBMIT_DEPTH_MAX, now_unix_ms=self._clock.unix_ms()
        )
        if self._reader.open.get(request.request_id) is not generation:
            # Its client left in between, and that cancel may have come before this attempt.
            await self.withdraw(request.request_id, request.weights)

    async def withdraw(self, request_id: RequestId, weights: Digest) -> None:
        """Cancel a job wherever it is; while Redis is away this is kept to be done later."""
        self._left_behind[request_id] = weights
        try:
            async with redis_guard(self._redis_wait_s):
                await self._queue.cancel(request_id, weights)
        except Unavailable:
            log.warning("cancel_postponed", request_id=request_id)
        else:
            self._left_behind.pop(request_id, None)

    async def withdraw_left_behind(self) -> None:
        """Cancel what could not be cancelled when its client left."""
        for request_id, weights in list(self._left_behind.items()):
            try:
                await self._queue.cancel(request_id, weights)
            except RedisError:
                return
            self._left_behind.pop(request_id, None)

    def _admit(self) -> None:
        load = Load(open_generations=len(self._reader.open), redis_connected=self._reader.is_connected)
        decision = admission.decide(load, self._limits)
        if isinstance(decision, Reject):
            metrics.REJECTIONS.labels(reason=decision.reason).inc()
            raise decision.error

    async def _submit_whole(self, request: GenerationRequest) -> None:
        """Submit, and let nothing interrupt it half way: the cancel that follows might overtake its own job."""
        submitting = asyncio.ensure_future(self._submit(request))
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await asyncio.gather(submitting, return_exceptions=True)
            raise

    async def _submit(self, request: GenerationRequest) -> None:
        try:
            async with redis_guard(self._redis_wait_s):
                await self._queue.submit(
                    request, cost=cost_of(request), depth_max=self._queue_depth_max, now_unix_ms=self._clock.unix_ms()
                )
        except QueueFull:
            metrics.REJECTIONS.labels(reason="queue_full").inc()
            raise
        except Unavailable:
            metrics.REJECTIONS.labels(reason="redis_unavailable").inc()
            raise
