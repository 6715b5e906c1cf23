"""What tells a client that it talks to the right kind of server."""

from aiohttp import web

from shared.version import OLLAMA_VERSION


def add_routes(app: web.Application) -> None:
    app.router.add_get("/", _root)
    app.router.add_get("/api/version", _version)


async def _root(_request: web.Request) -> web.Response:
    return web.Response(text="Ollama is running")


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": OLLAMA_VERSION})
