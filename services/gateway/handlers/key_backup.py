"""`/api/backup/keys` and `/api/restore/keys`: every key's record out of the store and back; for admins only."""

from typing import Final

import structlog
from aiohttp import web

from services.gateway.handlers.serving import PRINCIPAL, read_body
from services.gateway.key_backup import Records, parse_restore, plan_restore, written
from services.gateway.key_store import KeyStore
from services.gateway.redis_guard import redis_guard

log = structlog.get_logger("corral.gateway")

NEVER_KEPT: Final = {"Cache-Control": "no-store"}


class KeyBackup:
    def __init__(self, store: KeyStore, *, redis_wait_s: float) -> None:
        self._store = store
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/backup/keys", self.backup, allow_head=False)
        app.router.add_post("/api/restore/keys", self.restore)

    async def backup(self, request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            records = await self._store.by_credential()
        log.info("keys_exported", user=request[PRINCIPAL].user, count=len(records))
        return web.json_response({"keys": written(records)}, headers=NEVER_KEPT)

    async def restore(self, request: web.Request) -> web.Response:
        """Bring back keys and tell what became of each."""
        wanted = parse_restore(await read_body(request))
        async with redis_guard(self._redis_wait_s):
            planned = plan_restore(wanted, await self._store.by_credential())
            await self._store.put(added=planned.added, replaced=planned.replaced)
        log.info(
            "keys_restored",
            user=request[PRINCIPAL].user,
            added_count=len(planned.added),
            replaced_count=len(planned.replaced),
            same_count=len(planned.same),
            kept_count=len(planned.kept),
        )
        told = {"added": planned.added, "replaced": planned.replaced, "same": planned.same, "kept": planned.kept}
        return web.json_response({fate: _names(records) for fate, records in told.items()})


def _names(records: Records) -> list[dict[str, str]]:
    return [{"id": record.id, "name": record.name} for record in records.values()]
