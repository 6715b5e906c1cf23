"""The registry's real application on loopback, over an empty store and a real Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from ollama import AsyncClient

from services.registry.app import build_app
from services.registry.settings import Settings
from shared.settings import Secret


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
async def registry(models_dir: Path, redis_url: str) -> AsyncIterator[TestServer]:
    # No other registry is asked for anything.
    settings = Settings(models_dir=str(models_dir), redis_url=Secret(redis_url), upstream_hosts="")
    server = TestServer(build_app(settings), host="127.0.0.1")
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def http(registry: TestServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(registry.make_url("/")) as session:
        yield session


@pytest.fixture
async def client(registry: TestServer) -> AsyncIterator[AsyncClient]:
    """The official client."""
    async with AsyncClient(str(registry.make_url("/"))) as client:
        yield client
