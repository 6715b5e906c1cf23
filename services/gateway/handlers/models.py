"""Model management, passed on to the registry: status, body and streaming go through unchanged in both directions."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import structlog
from aiohttp import hdrs, web

from services.gateway.handlers.serving import REQUEST_ID_HEADER, SERVED, read_body
from services.gateway.redis_guard import redis_guard
from services.gateway.unloading import Unloader
from services.gateway.wire import NDJSON, ndjson_line
from shared.errors import CorralError, Unavailable
from shared.go_json import GoFields, decode_object
from shared.model_index import ModelEntry, ModelIndex
from shared.model_name import parse_model_name

log = structlog.get_logger("corral.gateway")

CUT_OFF: Final = b'{"error":"the registry went away; please try again"}'
_PASSED_ON: Final = (hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_PASSED_BACK: Final = (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH, hdrs.RETRY_AFTER)


class Models:
    """`session` belongs to the caller and keeps bodies as they come."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        registry_url: str,
        *,
        index: ModelIndex,
        unloader: Unloader,
        redis_wait_s: float,
    ) -> None:
        self._session = session
        self._registry_url = registry_url.rstrip("/")
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
        app.router.add_post("/api/blobs/{digest}", self.upload)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request) if request.can_read_body else None
        return await self._forward(request, body)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """A blob of any size, passed on as it arrives."""
        return await self._forward(request, request.content.iter_any())

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete a model; workers let its weights go when no other model has them."""
        body = await read_body(request)
        entry = await self._named(body)
        response = await self._forward(request, body)
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

    async def _forward(self, request: web.Request, body: bytes | AsyncIterator[bytes] | None) -> web.StreamResponse:
        """Raises: Unavailable when the registry cannot be reached."""
        headers: dict[str, str] = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers[REQUEST_ID_HEADER] = request[SERVED].request_id
        if request.content_length is not None and body is not None:
            headers[hdrs.CONTENT_LENGTH] = str(request.content_length)
        try:
            async with self._session.request(
                request.method, self._registry_url + request.path_qs, data=body, headers=headers, allow_redirects=False
            ) as upstream:
                return await self._pass_back(request, upstream)
        except aiohttp.ClientConnectionError as cause:
            raise Unavailable("the registry cannot be reached, please try again", retry_after_s=1.0) from cause

    async def _pass_back(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: upstream.headers[name] for name in _PASSED_BACK if name in upstream.headers}
        response = web.StreamResponse(status=upstream.status, headers=headers)
        await response.prepare(request)
        try:
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
        except ConnectionResetError:
            request[SERVED].outcome = "cancelled"
            return response
        except aiohttp.ClientError as cause:
            log.warning("registry_cut_off", route=request.path, cause=repr(cause))
            request[SERVED].outcome = "error"
            if upstream.content_type == NDJSON:
                await response.write(ndjson_line(CUT_OFF))
            elif request.transport is not None:
                # Only a broken connection tells the client that the body is not whole.
                request.transport.close()
                return response
        await response.write_eof()
        return response
