"""What tells a client that it talks to the right kind of server."""

from typing import Final

from aiohttp import web

OLLAMA_VERSION: Final = "0.33.0"
"""The version of Ollama whose API this is; clients gate features on it, so it is a plain dotted number."""


def add_routes(app: web.Application) -> None:
    app.router.add_get("/", _root)
    app.router.add_get("/api/version", _version)


async def _root(_request: web.Request) -> web.Response:
    return web.Response(text="Ollama is running")


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": OLLAMA_VERSION})
