"""A gateway that asks for keys behind the deployment's nginx, with one user's key and a client that trusts it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from redis.asyncio import Redis

from integration.gateway.registry_setup import ADMIN_KEY
from integration.gateway.setup import TINY, listening, settings
from integration.nginx.front_door import FrontDoor
from services.gateway.app import gateway
from services.gateway.settings import Settings
from shared.model_index import ModelIndex
from shared.settings import Secret


@pytest.fixture
async def gateway_settings(redis: Redis, redis_url: str) -> Settings:
    await ModelIndex(redis).publish([TINY])
    return settings(redis_url, require_keys=True, admin_key=Secret(ADMIN_KEY), trusted_proxies="127.0.0.1")


@pytest.fixture
async def gateway_app(gateway_settings: Settings) -> AsyncIterator[web.Application]:
    async with gateway(gateway_settings) as app:
        yield app


@pytest.fixture
async def gateway_address(gateway_app: web.Application) -> AsyncIterator[str]:
    """Host and port of the gateway itself."""
    async with listening(gateway_app) as url:
        yield url.removeprefix("http://")


@pytest.fixture
async def door(tmp_path: Path, gateway_address: str) -> AsyncIterator[FrontDoor]:
    """nginx in front of the gateway; there is no chat interface and no Grafana."""
    async with FrontDoor(tmp_path).running(EDGE_GATEWAY=gateway_address) as door:
        yield door


@pytest.fixture
async def http(door: FrontDoor) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the front door with an admin's key."""
    async with door.client(key=ADMIN_KEY) as session:
        yield session


@pytest.fixture
async def stranger(door: FrontDoor) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a key."""
    async with door.client() as session:
        yield session
