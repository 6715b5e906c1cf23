"""A served gateway with one model, and an HTTP session."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from integration.gateway.setup import TINY, serving, settings
from shared.model_index import ModelIndex


@pytest.fixture
async def gateway_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url)) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
