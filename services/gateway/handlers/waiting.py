"""`GET /api/queue/me`: what the caller has running and waiting in the whole cluster, and at which places."""

from aiohttp import web

from services.gateway.handlers.serving import PRINCIPAL
from services.gateway.redis_guard import redis_guard
from shared.generation_queue import GenerationQueue, UserJob
from shared.model_name import parse_model_name


class Waiting:
    def __init__(self, queue: GenerationQueue, *, redis_wait_s: float) -> None:
        self._queue = queue
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/queue/me", self.mine, allow_head=False)

    async def mine(self, request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            jobs = await self._queue.of_user(request[PRINCIPAL].user)
        return web.json_response({"generations": [_shown(job) for job in jobs]})


def _shown(job: UserJob) -> dict[str, object]:
    """A waiting job has a position, counted from 1, unless it is on its way to a worker at this very moment."""
    shown: dict[str, object] = {
        "request_id": job.request_id,
        "model": parse_model_name(job.model).short,
        "state": "running" if job.is_running else "waiting",
    }
    return shown if job.position is None else {**shown, "position": job.position}
