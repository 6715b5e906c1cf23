"""The gateway's metrics follow what happens to real requests."""

import asyncio
import contextlib

import aiohttp
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import MODEL, ScriptedWorker, say
from harness.valkey import running_valkey
from integration.gateway.setup import TINY, serving, settings
from shared import redis_client
from shared.model_index import ModelIndex

BODY = {"model": "tiny", "prompt": "Hi", "stream": False}


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"corral_gateway_{name}", labels)


def waiting(residency: str) -> float | None:
    return shown("waiting_generations", model=MODEL, residency=residency)


async def ask(http: aiohttp.ClientSession, url: str) -> int:
    async with http.post(f"{url}/api/generate", json=BODY) as response:
        await response.read()
        return response.status


async def test_a_generation_without_a_worker_is_shown_as_waiting_until_one_comes(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    waits_before = shown("queue_wait_seconds_count", model=MODEL) or 0
    waited_before_s = shown("queue_wait_seconds_sum", model=MODEL) or 0
    asking = asyncio.create_task(ask(http, gateway_url))
    await until(lambda: waiting("absent") == 1)
    await until(lambda: (shown("oldest_wait_seconds", model=MODEL) or 0) > 0.1)
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello"), resident=False).running():
        assert await asking == 200
    await until(lambda: waiting("absent") is None)
    assert shown("oldest_wait_seconds", model=MODEL) is None
    assert shown("queue_wait_seconds_count", model=MODEL) == waits_before + 1
    assert (shown("queue_wait_seconds_sum", model=MODEL) or 0) - waited_before_s > 0.1


async def test_a_generation_that_waits_for_a_slot_is_told_from_one_without_a_worker(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello"), takes_jobs=False).running():
        asking = asyncio.create_task(ask(http, gateway_url))
        await until(lambda: waiting("ready") == 1)
        assert waiting("absent") is None
        assert shown("waiting_users", model=MODEL) == 1
        assert shown("longest_backlog_generations", model=MODEL) == 1
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: waiting("ready") is None)
        assert shown("waiting_users", model=MODEL) is None
        assert shown("longest_backlog_generations", model=MODEL) is None


async def test_a_lost_redis_is_shown_and_what_waits_is_not_known_any_more(http: aiohttp.ClientSession) -> None:
    with contextlib.ExitStack() as valkey:
        redis_url = valkey.enter_context(running_valkey())
        redis = redis_client.connect(redis_url)
        await ModelIndex(redis).publish([TINY])
        await redis.aclose()
        async with serving(settings(redis_url, redis_wait_s=0.5)) as url:
            assert shown("redis_connected") == 1
            asking = asyncio.create_task(ask(http, url))
            await until(lambda: waiting("absent") == 1)
            valkey.close()
            assert await asking == 503
            await until(lambda: shown("redis_connected") == 0)
            await until(lambda: waiting("absent") is None)
