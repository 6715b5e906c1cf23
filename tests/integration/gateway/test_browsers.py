"""CORS and the Host check over HTTP."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from integration.gateway.setup import serving, settings


@pytest.fixture
async def url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    async with serving(settings(redis_url, origins="https://*.example.org, https://chat.test")) as url:
        yield url


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://chat.test", "https://a.example.org", "app://x"])
async def test_an_allowed_page_gets_its_preflight_and_its_reply(
    url: str, http: aiohttp.ClientSession, origin: str
) -> None:
    async with http.options(f"{url}/api/chat", headers={"Origin": origin}) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    async with http.post(f"{url}/api/chat", headers={"Origin": origin}) as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == origin


async def test_a_foreign_page_is_refused(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/api/ps", headers={"Origin": "https://evil.test"}) as response:
        assert (response.status, await response.read()) == (403, b"")


@pytest.mark.parametrize(("host", "status"), [("localhost:1", 200), ("127.0.0.1", 200), ("evil.test", 403)])
async def test_a_server_on_loopback_answers_to_local_names_only(
    url: str, http: aiohttp.ClientSession, host: str, status: int
) -> None:
    async with http.get(f"{url}/api/version", headers={"Host": host}) as response:
        assert response.status == status
