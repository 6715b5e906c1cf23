"""`GET /openapi.json`: what this server can be asked, for tools that read descriptions; open to everyone."""

import hashlib

import msgspec
from aiohttp import ETag, hdrs, web

from services.gateway.access import Need
from services.gateway.handlers import distribution
from services.gateway.handlers.doors import need_of
from services.gateway.openapi.document import openapi_document
from services.gateway.openapi.operation import Dialect, Operation
from services.gateway.openapi.routes import ROUTES
from shared.version import OLLAMA_VERSION


class OpenApi:
    """The document is made once, as it never changes while the process lives."""

    def __init__(self) -> None:
        self._body = msgspec.json.encode(openapi_document(ROUTES, need_of_operation, version=OLLAMA_VERSION))
        self._etag = ETag(hashlib.sha256(self._body).hexdigest()[:32])

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/openapi.json", self.document)

    async def document(self, request: web.Request) -> web.Response:
        known = request.if_none_match or ()
        if any(one.value in (self._etag.value, "*") for one in known):
            response = web.Response(status=304)
        else:
            response = web.Response(body=self._body, headers={hdrs.CONTENT_TYPE: "application/json"})
        response.etag = self._etag
        response.headers[hdrs.CACHE_CONTROL] = "no-cache"
        return response


def need_of_operation(operation: Operation) -> Need:
    """What the route asks of its caller; all paths of the registry but one are a single route here."""
    if operation.dialect is Dialect.REGISTRY and operation.path != distribution.TOKEN_ROUTE:
        return need_of(operation.method, distribution.ROUTE)
    return need_of(operation.method, operation.path)
