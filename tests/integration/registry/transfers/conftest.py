"""A registry that may pull from a source on loopback, each with a real server of its own."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import TestServer

from harness.model_source import ModelSource
from services.registry.app import build_app
from services.registry.settings import Settings
from shared.settings import Secret

PART_BYTES = 256 << 10

StartRegistry = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def source() -> ModelSource:
    return ModelSource()


@pytest.fixture
async def host(source: ModelSource) -> AsyncIterator[str]:
    """Where the source is."""
    async with source.running() as host:
        yield host


@pytest.fixture
def start_registry(models_dir: Path, redis_url: str) -> StartRegistry:
    """Start a registry over the store: `start(upstream_hosts, **settings)` gives its URL for the length of a block."""

    @contextlib.asynccontextmanager
    async def start(upstream_hosts: str, **settings: object) -> AsyncIterator[str]:
        values: dict[str, object] = {
            "models_dir": str(models_dir),
            "redis_url": Secret(redis_url),
            "upstream_hosts": upstream_hosts,
            "upstream_stall_s": 0.5,
            "pull_part_bytes": PART_BYTES,
            "drain_s": 5.0,
            **settings,
        }
        app = build_app(msgspec.convert(values, Settings))
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url("/"))

    return start


@pytest.fixture
async def pulling_url(start_registry: StartRegistry, host: str) -> AsyncIterator[str]:
    """The URL of a registry that may pull from the source."""
    async with start_registry(host) as url:
        yield url
