"""`GET /api/ps`: the models the workers hold, one row a model, however many workers hold it."""

from collections.abc import Iterable

from aiohttp import web

from services.gateway.cluster_view import ClusterView
from services.gateway.redis_guard import redis_guard
from services.gateway.timestamps import rfc3339
from shared.clock import Clock
from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import hex_of
from shared.errors import ModelNameInvalid
from shared.go_duration import DURATION_S_MAX
from shared.model_index import ModelDetails, ModelEntry, ModelIndex
from shared.model_name import parse_model_name


class Ps:
    def __init__(self, cluster: ClusterView, index: ModelIndex, clock: Clock, *, redis_wait_s: float) -> None:
        self._cluster = cluster
        self._index = index
        self._clock = clock
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/ps", self.ps, allow_head=False)

    async def ps(self, _request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            workers = await self._cluster.refresh()
            models = {entry.name.full: entry for entry in await self._index.all()}
        forever_unix_ms = self._clock.unix_ms() + DURATION_S_MAX * 1000
        rows = [
            (expires_unix_ms(copies, forever_unix_ms), name, copies)
            for name, copies in by_model(workers.values()).items()
        ]
        rows.sort(key=lambda row: (-row[0], row[1]))
        return web.json_response(
            {"models": [_row(models.get(name), copies, expires) for expires, name, copies in rows]}
        )


def by_model(workers: Iterable[WorkerState]) -> dict[str, list[ResidentModel]]:
    """All copies of each model, whichever worker holds them."""
    copies: dict[str, list[ResidentModel]] = {}
    for worker in workers:
        for model in worker.models:
            copies.setdefault(model.model, []).append(model)
    return copies


def expires_unix_ms(copies: list[ResidentModel], forever_unix_ms: int) -> int:
    """When the last copy goes."""
    return max(forever_unix_ms if one.expires_unix_ms is None else one.expires_unix_ms for one in copies)


def _row(entry: ModelEntry | None, copies: list[ResidentModel], expires: int) -> dict[str, object]:
    first = copies[0]
    details = ModelDetails() if entry is None else entry.details
    return {
        "name": _shown(first.model),
        "model": _shown(first.model),
        "size": sum(one.size_bytes for one in copies),
        "digest": hex_of(first.weights) if entry is None else entry.digest,
        "details": {
            "parent_model": "",
            "format": details.format,
            "family": details.family,
            "families": details.families,
            "parameter_size": details.parameter_size,
            "quantization_level": details.quantization_level,
        },
        "expires_at": rfc3339(expires),
        "size_vram": sum(one.device_bytes for one in copies),
        "context_length": max(one.context_tokens for one in copies),
    }


def _shown(full_name: str) -> str:
    try:
        return parse_model_name(full_name).short
    except ModelNameInvalid:
        return full_name
