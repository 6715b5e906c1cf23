"""Ollama's cloud, answered as by a server on which it is switched off: nothing a client asks here leaves the cluster.

Source: Ollama `server/routes.go`, `internal/cloud/policy.go`.
"""

from aiohttp import web

from shared.local_names import cloud_disabled


def add_routes(app: web.Application) -> None:
    app.router.add_get("/api/status", _status, allow_head=False)
    app.router.add_post("/api/me", _account)
    app.router.add_post("/api/signout", _account)
    app.router.add_delete("/api/user/keys/{key}", _account)
    app.router.add_post("/api/experimental/web_search", _web_search)
    app.router.add_post("/api/experimental/web_fetch", _web_fetch)
    app.router.add_get("/api/experimental/model-recommendations", _recommendations, allow_head=False)


async def _status(_request: web.Request) -> web.Response:
    return web.json_response({"cloud": {"disabled": True, "source": "env"}})


async def _recommendations(_request: web.Request) -> web.Response:
    """None: what is worth using is for whoever runs the cluster to say."""
    return web.json_response({"recommendations": []})


async def _account(_request: web.Request) -> web.Response:
    """Not 401: the command line would then ask its user to sign in."""
    raise cloud_disabled("accounts are unavailable")


async def _web_search(_request: web.Request) -> web.Response:
    raise cloud_disabled("web search is unavailable")


async def _web_fetch(_request: web.Request) -> web.Response:
    raise cloud_disabled("web fetch is unavailable")
