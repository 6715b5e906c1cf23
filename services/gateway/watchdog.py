"""Finds generations that nobody works on any more, and does what the rule says about each. One task for all of them."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum

import msgspec
import structlog
from redis.exceptions import RedisError

from services.gateway import metrics, queue_gauges
from services.gateway.cluster_view import ClusterView
from services.gateway.dispatch import Dispatcher
from services.gateway.frame_reader import FrameReader
from services.gateway.open_generation import OpenGeneration
from services.gateway.queue_gauges import Wait
from shared.clock import Clock
from shared.cluster_state import WorkerState
from shared.errors import CorralError, DeadlineExceeded, RunnerDied, Unavailable
from shared.generation_queue import GenerationQueue

log = structlog.get_logger("corral.gateway")


class WatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    started_wait_s: float
    no_worker_wait_s: float
    attempts_max: int = 3


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule needs to know of one generation and of the cluster at one moment."""

    attempt: int
    worker_id: str | None
    runner_died: bool
    has_output: bool
    is_waiting: bool  # in its queue
    not_waiting_s: float
    since_submit_s: float
    is_past_deadline: bool
    live_workers: Mapping[str, WorkerState]


class Keep(Enum):
    """Leave it alone."""

    KEEP = "keep"


class Resubmit(msgspec.Struct, frozen=True):
    reason: str  # a metric's label


class Fail(msgspec.Struct, frozen=True):
    error: CorralError


Verdict = Keep | Resubmit | Fail


def decide(sight: Sight, limits: WatchLimits) -> Verdict:
    """What to do about one generation."""
    if sight.is_past_deadline:
        return Fail(DeadlineExceeded("the generation did not end before its deadline"))
    if sight.runner_died:
        return _again(sight, limits, "runner_died")
    if sight.worker_id is not None:
        if sight.worker_id in sight.live_workers:
            return Keep.KEEP
        if sight.has_output:
            return Fail(RunnerDied("its worker was lost"))
        return _again(sight, limits, "worker_lost")
    if sight.is_waiting:
        if not sight.live_workers and sight.since_submit_s > limits.no_worker_wait_s:
            return Fail(Unavailable("no worker is running", retry_after_s=5.0))
        return Keep.KEEP
    if sight.not_waiting_s > limits.started_wait_s:
        return _again(sight, limits, "never_started")
    return Keep.KEEP


def _again(sight: Sight, limits: WatchLimits, reason: str) -> Verdict:
    if sight.attempt >= limits.attempts_max:
        return Fail(RunnerDied(f"it was lost {sight.attempt} times before any output"))
    return Resubmit(reason)


class Watchdog:
    """Looks at every open generation once per interval; also retries cancels that Redis' absence postponed."""

    def __init__(
        self,
        *,
        reader: FrameReader,
        queue: GenerationQueue,
        cluster: ClusterView,
        dispatcher: Dispatcher,
        clock: Clock,
        limits: WatchLimits,
        interval_s: float,
    ) -> None:
        self._reader = reader
        self._queue = queue
        self._cluster = cluster
        self._dispatcher = dispatcher
        self._clock = clock
        self._limits = limits
        self._interval_s = interval_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.look()
            except (RedisError, OSError):
                queue_gauges.hide()  # the frame reader reports the loss
            except Exception:
                log.exception("watchdog_failed")

    async def look(self) -> None:
        """One round over all open generations."""
        seen = [(generation, generation.worker_id) for generation in self._reader.open.values()]
        workers = await self._cluster.refresh()
        await self._dispatcher.withdraw_left_behind()
        waiting = await self._waiting_requests([generation for generation, _ in seen])
        self._show(waiting, workers)
        for generation, worker_id in seen:
            if not self._is_comparable(generation, worker_id):
                continue
            sight = self._sight(generation, is_waiting=generation.request.request_id in waiting, workers=workers)
            await self._act(generation, decide(sight, self._limits))

    def _is_comparable(self, generation: OpenGeneration, worker_id: str | None) -> bool:
        """Whether it is still open and on the worker it had when the roster was read: a new worker may be on it now."""
        is_open = self._reader.open.get(generation.request.request_id) is generation
        return is_open and not generation.is_over and generation.worker_id == worker_id

    async def _waiting_requests(self, generations: list[OpenGeneration]) -> set[str]:
        jobs = [(one.request.request_id, one.request.weights) for one in generations if not one.is_started]
        if not jobs:
            return set()
        waits = await self._queue.waiting(jobs)
        return {request_id for (request_id, _), is_waiting in zip(jobs, waits, strict=True) if is_waiting}

    def _show(self, waiting: AbstractSet[str], workers: Mapping[str, WorkerState]) -> None:
        now_s = self._clock.monotonic_s()
        waits = [
            Wait(
                model=one.request.model,
                weights=one.request.weights,
                user=one.request.user,
                waited_s=now_s - one.submitted_s,
            )
            for one in self._reader.open.values()
            if one.request.request_id in waiting and not one.request.is_smoke
        ]
        queue_gauges.show(queue_gauges.summed_up(waits, workers))

    def _sight(self, generation: OpenGeneration, *, is_waiting: bool, workers: Mapping[str, WorkerState]) -> Sight:
        now_s = self._clock.monotonic_s()
        if is_waiting:
            generation.not_waiting_since_s = None
        elif generation.not_waiting_since_s is None:
            generation.not_waiting_since_s = now_s
        since_s = generation.not_waiting_since_s
        return Sight(
            attempt=generation.request.attempt,
            worker_id=generation.worker_id,
            runner_died=generation.runner_died,
            has_output=generation.has_output,
            is_waiting=is_waiting,
            not_waiting_s=0.0 if since_s is None else now_s - since_s,
            since_submit_s=now_s - generation.submitted_s,
            is_past_deadline=self._clock.unix_ms() >= generation.request.deadline_unix_ms,
            live_workers=workers,
        )

    async def _act(self, generation: OpenGeneration, verdict: Verdict) -> None:
        request = generation.request
        match verdict:
            case Resubmit(reason):
                log.warning(
                    "generation_resubmitted",
                    request_id=request.request_id,
                    model=request.model,
                    attempt=request.attempt + 1,
                    reason=reason,
                    worker_id=generation.worker_id,
                )
                metrics.RESUBMISSIONS.labels(reason=reason).inc()
                await self._dispatcher.resubmit(generation)
            case Fail(error):
                log.warning("generation_failed", request_id=request.request_id, model=request.model, code=error.code)
                generation.fail(error)
