"""Answers to browsers: preflight requests, and refusal of pages and host names that must not reach us."""

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from services.gateway.browsers import is_own_name, may_use

_METHODS: Final = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_HEADERS: Final = ", ".join(
    (
        *("Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "OpenAI-Beta", "x-api-key"),
        *(
            f"x-stainless-{name}"
            for name in (
                *("lang", "package-version", "os", "arch", "retry-count", "runtime", "runtime-version"),
                *("async", "helper-method", "poll-helper", "custom-poll-interval", "timeout"),
            )
        ),
    )
)
_PREFLIGHT_KEPT_S: Final = "43200"


def install(
    app: web.Application, *, extra_origins: tuple[str, ...], own_names: frozenset[str], is_on_loopback: bool
) -> None:
    """Add the checks behind the middlewares there are; every reply to an allowed page names its origin."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_on_loopback and not is_own_name(request.host, own_names=own_names):
            return web.Response(status=403)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return await handler(request)
        if not may_use(origin, own_host=request.host, extra_origins=extra_origins):
            return web.Response(status=403)
        request[_ORIGIN] = origin
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(
                status=204,
                headers={
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _HEADERS,
                    hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_KEPT_S,
                },
            )
        return await handler(request)

    app.middlewares.append(middleware)
    app.on_response_prepare.append(_name_origin)


_ORIGIN: Final = web.RequestKey("origin", str)


async def _name_origin(request: web.Request, response: web.StreamResponse) -> None:
    origin = request.get(_ORIGIN)
    if origin is not None:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.VARY] = hdrs.ORIGIN
