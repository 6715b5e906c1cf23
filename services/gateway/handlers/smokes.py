"""`GET /api/smoke`: what came of the smoke generations of each model; for admins only."""

from aiohttp import web

from services.gateway.redis_guard import redis_guard
from services.gateway.smoke.history import SmokeHistory, SmokeResult
from services.gateway.timestamps import rfc3339
from shared.errors import ModelUnknown
from shared.local_names import parse_local_name
from shared.model_index import ModelEntry, ModelIndex


class Smokes:
    def __init__(self, history: SmokeHistory, index: ModelIndex, *, redis_wait_s: float) -> None:
        self._history = history
        self._index = index
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/smoke", self.history, allow_head=False)

    async def history(self, request: web.Request) -> web.Response:
        """Of one model, or of all that were tried; the oldest result first."""
        wanted = request.query.get("model", "")
        async with redis_guard(self._redis_wait_s):
            entries = [await self._entry(wanted)] if wanted else await self._index.all()
            told = await self._history.of([entry.name.full for entry in entries])
        histories = [(entry.name.short, told[entry.name.full]) for entry in entries]
        return web.json_response(
            {
                "models": [
                    {"model": name, "smokes": [_shown(result) for result in results]}
                    for name, results in sorted(histories)
                    if results or wanted
                ]
            }
        )

    async def _entry(self, wanted: str) -> ModelEntry:
        """Raises: ModelUnknown, and what `parse_local_name` raises."""
        entry = await self._index.find(parse_local_name(wanted))
        if entry is None:
            raise ModelUnknown(f"model '{wanted}' not found")
        return entry


def _shown(result: SmokeResult) -> dict[str, object]:
    facts = {
        "first_token_s": result.first_token_s,
        "tokens": result.tokens,
        "worker": result.worker_id,
        "error_code": result.error_code,
    }
    told = {name: fact for name, fact in facts.items() if fact}
    return {"at": rfc3339(result.at_unix_ms), "outcome": result.outcome, "total_s": result.total_s, **told}
