"""What `/readyz` of a gateway says when Redis hangs, and while it drains."""

import asyncio
import contextlib
import os
import signal
import sys

import aiohttp
import pytest

from fakes.polling import until
from harness.cluster import free_port
from harness.valkey import running_valkey
from integration.gateway.setup import serving, settings
from shared import redis_client

NOTICE_S = 0.5


async def said(http: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    try:
        async with http.get(f"{url}/readyz") as response:
            return response.status, await response.text()
    except aiohttp.ClientConnectionError:
        return 0, "nobody listens"


async def test_a_redis_that_hangs_is_told_and_hangs_nobody_who_asks(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.frame_reader.SILENCE_S", 1.1)
    with running_valkey() as redis_url:
        async with serving(settings(redis_url, redis_wait_s=0.2)) as url:
            assert await said(http, url) == (200, "ready")
            redis = redis_client.connect(redis_url)
            await redis.client_pause(2_500)

            async def is_told() -> bool:
                async with asyncio.timeout(0.5):
                    return await said(http, url) == (503, "Redis cannot be reached")

            await until(is_told)
            await redis.aclose()


async def test_a_gateway_that_drains_serves_on_for_its_notice_and_says_that_it_drains(
    redis_url: str, http: aiohttp.ClientSession
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"HOST": "127.0.0.1", "PORT": str(port), "REDIS_URL": redis_url, "DRAIN_NOTICE_S": str(NOTICE_S)}
    environ = {**os.environ, **{f"CORRAL_GATEWAY_{name}": value for name, value in own.items()}}
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway", env=environ, stdout=silent
    )  # fmt: skip
    try:
        await until(lambda: answers(http, url, 200, "ready"), within_s=30)
        process.send_signal(signal.SIGTERM)
        await until(lambda: answers(http, url, 503, "draining"))
        async with http.get(f"{url}/api/version") as response:
            assert response.status == 200
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert await said(http, url) == (0, "nobody listens")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def answers(http: aiohttp.ClientSession, url: str, status: int, words: str) -> bool:
    return await said(http, url) == (status, words)
