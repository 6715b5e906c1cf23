"""`/api/keys`: making, listing and revoking API keys; for admins only."""

import msgspec
from aiohttp import web

from services.gateway.handlers.serving import read_body
from services.gateway.key_store import KEY_NAME_CHARS_MAX, KeyRecord, KeyStore, Role
from services.gateway.redis_guard import redis_guard
from services.gateway.ssh_keys import SshKey, parse_public_key
from services.gateway.timestamps import rfc3339
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object


class Keys:
    def __init__(self, store: KeyStore, *, redis_wait_s: float) -> None:
        self._store = store
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/api/keys", self.create)
        app.router.add_get("/api/keys", self.list, allow_head=False)
        app.router.add_delete("/api/keys/{id}", self.revoke)

    async def create(self, request: web.Request) -> web.Response:
        """Make an API key, or let in the owner of an ssh key, of which nothing secret is ever sent."""
        new = _parse_new_key(await read_body(request))
        async with redis_guard(self._redis_wait_s):
            if new.ssh_key is not None:
                record = await self._store.register(new.name, new.role, new.ssh_key, summarizes=new.summarizes)
                return web.json_response(_shown(record))
            record, key = await self._store.create(new.name, new.role, summarizes=new.summarizes)
        return web.json_response({**_shown(record), "key": key})

    async def list(self, _request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            records = await self._store.all()
        return web.json_response({"keys": [_shown(record) for record in records]})

    async def revoke(self, request: web.Request) -> web.Response:
        async with redis_guard(self._redis_wait_s):
            await self._store.revoke(request.match_info["id"])
        return web.Response()


class NewKey(msgspec.Struct, frozen=True):
    name: str
    role: Role
    ssh_key: SshKey | None
    summarizes: bool


def _parse_new_key(body: bytes) -> NewKey:
    """Raises: ParameterInvalid."""
    fields = GoFields("KeyRequest", decode_object(body, go_type="KeyRequest"))
    name = fields.text("name").strip()
    if not 1 <= len(name) <= KEY_NAME_CHARS_MAX:
        raise ParameterInvalid(f"name must have 1 to {KEY_NAME_CHARS_MAX} characters")
    role = fields.text("role") or Role.USER
    if role not in set(Role):
        raise ParameterInvalid(f"role must be one of {', '.join(Role)}")
    public_key = fields.text("ssh_public_key")
    ssh_key = parse_public_key(public_key) if public_key else None
    return NewKey(name, Role(role), ssh_key, summarizes=fields.flag("summarize") or False)


def _shown(record: KeyRecord) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "created_at": rfc3339(record.created_unix_ms),
    }
    optional = {"fingerprint": record.fingerprint, "summarize": record.summarizes}
    return {**shown, **{name: value for name, value in optional.items() if value}}
