"""Registries that a test starts, stops and starts again."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Middleware

from services.registry.app import build_app
from services.registry.settings import Settings

StartRegistry = Callable[..., AbstractAsyncContextManager[aiohttp.ClientSession]]


@contextlib.asynccontextmanager
async def running_registry(**settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Gives a session whose addresses are relative to the registry."""
    async with (
        TestServer(build_app(Settings(**settings)), host="127.0.0.1") as server,
        aiohttp.ClientSession(server.make_url("/")) as session,
    ):
        yield session


@contextlib.asynccontextmanager
async def running_upstream(watch: Middleware, context: ssl.SSLContext | None, **settings: Any) -> AsyncIterator[str]:
    """A registry that others pull from; every request passes through `watch`. Gives its `host:port`."""
    app: web.Application = build_app(Settings(**settings))
    app.middlewares.insert(0, watch)
    server = TestServer(app, host="127.0.0.1", scheme="https" if context else "http")
    await server.start_server(ssl=context)
    try:
        yield f"localhost:{server.port}"
    finally:
        await server.close()
