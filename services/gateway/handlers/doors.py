"""What each route asks of its caller, and the layer that asks it before a handler runs."""

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from services.gateway import access
from services.gateway.access import Access, Call, Need, Principal
from services.gateway.handlers import distribution
from services.gateway.handlers.distribution import Distribution
from services.gateway.handlers.serving import PRINCIPAL, SERVED, route_of
from services.gateway.redis_guard import redis_guard

# Prometheus has no key; the front door shows /metrics, /healthz and /readyz to nobody.
_OPEN_ROUTES: Final = frozenset({"/", "/healthz", "/readyz", "/metrics", "/api/version", "/openapi.json"})
_WEIGHTS_ROUTE: Final = (hdrs.METH_GET, "/api/blobs/{digest}")
_ADMIN_ROUTES: Final = frozenset(
    {
        (hdrs.METH_POST, "/api/create"),
        (hdrs.METH_POST, "/api/copy"),
        (hdrs.METH_DELETE, "/api/delete"),
        (hdrs.METH_POST, "/api/blobs/{digest}"),
        (hdrs.METH_POST, "/api/pull"),
        (hdrs.METH_POST, "/api/push"),
        (hdrs.METH_DELETE, "/api/transfers/{id}"),
        (hdrs.METH_POST, "/api/keys"),
        (hdrs.METH_GET, "/api/keys"),
        (hdrs.METH_DELETE, "/api/keys/{id}"),
        (hdrs.METH_GET, "/api/smoke"),
        (hdrs.METH_GET, "/api/cluster"),
        (hdrs.METH_GET, "/api/backup/keys"),
        (hdrs.METH_POST, "/api/restore/keys"),
    }
)


def install(app: web.Application, who: Access, registry: Distribution, *, redis_wait_s: float) -> None:
    """Let in only who may use the route: the innermost layers."""
    app.middlewares.extend([_slash_redirect, _access_middleware(who, registry, redis_wait_s)])


def need_of(method: str, route: str | None) -> Need:
    """What a route, named by its pattern, asks of its caller."""
    if route == distribution.TOKEN_ROUTE or (route in _OPEN_ROUTES and method in (hdrs.METH_GET, hdrs.METH_HEAD)):
        return Need.NOTHING
    if route == distribution.ROUTE:
        return Need.REGISTRY
    if (method, route) == _WEIGHTS_ROUTE:
        return Need.WEIGHTS
    return Need.ADMIN if (method, route) in _ADMIN_ROUTES else Need.KEY


@web.middleware
async def _slash_redirect(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send `/api/tags/` to `/api/tags`, as Ollama's router does."""
    unknown = isinstance(request.match_info.http_exception, web.HTTPNotFound)
    if unknown and len(request.path) > 1 and request.path.endswith("/"):
        target = request.rel_url.with_path(request.path.rstrip("/") or "/", keep_query=True)
        match = await request.app.router.resolve(request.clone(rel_url=target))
        if match.http_exception is None and not str(target).startswith("//"):
            status = 301 if request.method == hdrs.METH_GET else 307
            return web.Response(status=status, headers={hdrs.LOCATION: str(target)})
    return await handler(request)


def _access_middleware(who: Access, registry: Distribution, redis_wait_s: float) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        need = need_of(request.method, route_of(request))
        if need is Need.NOTHING:
            return await handler(request)
        if need is Need.REGISTRY:
            principal = await registry.admit(request)
        else:
            async with redis_guard(redis_wait_s):
                principal = await _api_caller(request, who, need)
        request[PRINCIPAL] = principal
        request[SERVED].user = principal.user
        return await handler(request)

    return middleware


async def _api_caller(request: web.Request, who: Access, need: Need) -> Principal:
    """Raises: Forbidden, Unauthenticated."""
    call = Call(method=request.method, path=request.path, headers=request.headers, ts=request.query.get("ts", ""))
    principal = await who.principal(call)
    refused = access.refusal(principal, need, is_native_api=not request.path.startswith("/v1/"))
    if refused is not None:
        raise refused
    assert principal is not None, "a missing key was refused"
    return principal
