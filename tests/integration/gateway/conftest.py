"""A served gateway with two models, and an HTTP session."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from integration.gateway.registry_setup import CONFIG, WEIGHTS, registry_behind_gateway
from integration.gateway.setup import EMBEDDER, TINY, serving, settings
from integration.gateway.stand_in_registry import StandInRegistry
from shared.model_index import ModelIndex


@pytest.fixture
async def gateway_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY, EMBEDDER])
    async with serving(settings(redis_url)) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def registry() -> StandInRegistry:
    """A registry with one model, for tests of what the gateway lets through to it."""
    registry = StandInRegistry()
    registry.add_model("team/x", WEIGHTS, CONFIG)
    return registry


@pytest.fixture
async def url(redis_url: str, registry: StandInRegistry) -> AsyncIterator[str]:
    """The gateway in front of it."""
    async with registry_behind_gateway(redis_url, registry) as url:
        yield url
