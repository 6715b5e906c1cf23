"""`GET /api/queue/me`: what the caller has running and waiting in the whole cluster, at which places, and for what."""

from collections.abc import Iterable

from aiohttp import web

from services.gateway.cluster_view import ClusterView, progress_of
from services.gateway.handlers.serving import PRINCIPAL
from services.gateway.redis_guard import redis_guard
from shared.clock import Clock
from shared.cluster_state import WorkerState
from shared.generation_queue import GenerationQueue, UserJob
from shared.model_name import parse_model_name


class Waiting:
    def __init__(self, queue: GenerationQueue, cluster: ClusterView, clock: Clock, *, redis_wait_s: float) -> None:
        self._queue = queue
        self._cluster = cluster
        self._clock = clock
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/queue/me", self.mine, allow_head=False)

    async def mine(self, request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            jobs = await self._queue.of_user(request[PRINCIPAL].user)
            workers = await self._cluster.refresh() if jobs else {}
        now_unix_ms = self._clock.unix_ms()
        return web.json_response(
            {"generations": [shown(job, workers.values(), now_unix_ms=now_unix_ms) for job in jobs]}
        )


def shown(job: UserJob, workers: Iterable[WorkerState], *, now_unix_ms: int) -> dict[str, object]:
    """A waiting job tells since when, its position, counted from 1, unless it is on its way to a worker at this very
    moment, and how far its model is: `absent`, `loading` (for how long, and how long it took the last time) or `ready`.
    """
    told: dict[str, object] = {
        "request_id": job.request_id,
        "model": parse_model_name(job.model).short,
        "state": "running" if job.is_running else "waiting",
    }
    if job.is_running:
        return told
    progress = progress_of(job.weights, workers, now_unix_ms=now_unix_ms)
    facts = {
        "position": job.position,
        "waiting_s": max(0, now_unix_ms - job.submitted_unix_ms) / 1000,
        "model_state": progress.state,
        "load_elapsed_s": progress.elapsed_s,
        "load_expected_s": progress.expected_s,
    }
    return {**told, **{name: fact for name, fact in facts.items() if fact is not None}}
