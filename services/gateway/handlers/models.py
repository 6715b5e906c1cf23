"""Model management, passed on to the registry: making, copying, deleting, and moving models between registries."""

from aiohttp import web

from services.gateway.handlers.forwarding import Forwarder
from services.gateway.handlers.serving import read_body
from services.gateway.redis_guard import redis_guard
from services.gateway.unloading import Unloader
from shared.errors import CorralError
from shared.go_json import GoFields, decode_object
from shared.model_index import ModelEntry, ModelIndex
from shared.model_name import parse_model_name


class Models:
    def __init__(self, forwarder: Forwarder, *, index: ModelIndex, unloader: Unloader, redis_wait_s: float) -> None:
        self._forwarder = forwarder
        self._index = index
        self._unloader = unloader
        self._redis_wait_s = redis_wait_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/tags", self.pass_on)
        app.router.add_post("/api/show", self.pass_on)
        app.router.add_post("/api/create", self.pass_on)
        app.router.add_post("/api/copy", self.pass_on)
        app.router.add_delete("/api/delete", self.delete)
        app.router.add_head("/api/blobs/{digest}", self.pass_on)
        app.router.add_get("/api/blobs/{digest}", self.pass_on, allow_head=False)
        app.router.add_post("/api/blobs/{digest}", self.upload)
        app.router.add_post("/api/pull", self.pass_on)
        app.router.add_post("/api/push", self.pass_on)
        app.router.add_get("/api/transfers", self.pass_on, allow_head=False)
        app.router.add_delete("/api/transfers/{id}", self.pass_on)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request) if request.can_read_body else None
        return await self._forwarder.forward(request, body)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """A blob of any size, passed on as it arrives."""
        return await self._forwarder.forward(request, request.content.iter_any())

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete a model; workers let its weights go when no other model has them."""
        body = await read_body(request)
        entry = await self._named(body)
        response = await self._forwarder.forward(request, body)
        if entry is not None and response.status == 200:
            async with redis_guard(self._redis_wait_s):
                others = await self._index.all()
            if not any(one.weights == entry.weights and one.name.folded != entry.name.folded for one in others):
                await self._unloader.unload(entry.weights)
        return response

    async def _named(self, body: bytes) -> ModelEntry | None:
        """The model a body names; None when it names none, which the registry then says in its own words."""
        try:
            fields = GoFields("DeleteRequest", decode_object(body))
            name = parse_model_name(fields.text("model") or fields.text("name"))
            async with redis_guard(self._redis_wait_s):
                return await self._index.find(name)
        except CorralError:
            return None
