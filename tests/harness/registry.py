"""A real registry on loopback, with its own store: what the command line talks to, but for the gateway's doors."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from services.registry.app import build_app
from services.registry.settings import Settings
from shared.settings import Secret


@contextlib.asynccontextmanager
async def running_registry(redis_url: str, models_dir: Path, *, upstream_hosts: str = "") -> AsyncIterator[str]:
    """Yields its address. Its log is kept from stdout, where commands under test write."""
    app = build_app(Settings(redis_url=Secret(redis_url), models_dir=str(models_dir), upstream_hosts=upstream_hosts))
    with capture_logs():
        async with TestServer(app) as server:
            yield str(server.make_url("")).rstrip("/")
