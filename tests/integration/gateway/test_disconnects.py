"""A client that leaves ends its work, in whatever phase it leaves: nothing stays in Redis, the worker is told."""

import asyncio

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import has_jobs, until_no_job_is_left

CHAT: dict[str, object] = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


class Leaver:
    """A client on its own connection that can hang up at any moment."""

    def __init__(self, url: str, body: dict[str, object]) -> None:
        self.first_byte = asyncio.Event()
        self._task = asyncio.create_task(self._post(url, body))

    async def _post(self, url: str, body: dict[str, object]) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, timeout=aiohttp.ClientTimeout(total=30)) as response,
        ):
            async for _ in response.content.iter_any():
                self.first_byte.set()

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def never_ends(stage: Stage) -> None:
    await asyncio.Event().wait()


async def starts(stage: Stage) -> None:
    await stage.start()
    await never_ends(stage)


async def speaks(stage: Stage) -> None:
    await stage.start()
    await stage.say("a")
    await never_ends(stage)


async def test_leaving_while_queued(gateway_url: str, redis: Redis) -> None:
    client = Leaver(f"{gateway_url}/api/chat", CHAT)
    await until(lambda: has_jobs(redis), within_s=10)
    await client.leave()
    await until_no_job_is_left(redis)


async def test_leaving_while_the_model_loads(gateway_url: str, redis: Redis, redis_url: str) -> None:
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=never_ends, resident=False, takes_jobs=False)
    async with worker.running():
        client = Leaver(f"{gateway_url}/api/chat", CHAT)
        await worker.until(lambda: worker.is_resident)
        await client.leave()
        await until_no_job_is_left(redis)


@pytest.mark.parametrize("streams", [True, False])
async def test_leaving_during_prefill(gateway_url: str, redis: Redis, redis_url: str, streams: bool) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=starts).running() as worker:
        client = Leaver(f"{gateway_url}/api/chat", {**CHAT, "stream": streams})
        await worker.until(lambda: bool(worker.requests))
        await client.leave()
        await worker.until(lambda: worker.cancelled == [worker.requests[0].request_id])
        await until_no_job_is_left(redis)


async def test_leaving_in_mid_stream(gateway_url: str, redis: Redis, redis_url: str) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=speaks).running() as worker:
        client = Leaver(f"{gateway_url}/api/chat", CHAT)
        await asyncio.wait_for(client.first_byte.wait(), timeout=10)
        await client.leave()
        await worker.until(lambda: worker.cancelled == [worker.requests[0].request_id])
        await until_no_job_is_left(redis)


async def test_leaving_while_an_unstreamed_reply_is_made(gateway_url: str, redis: Redis, redis_url: str) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=speaks).running() as worker:
        client = Leaver(f"{gateway_url}/v1/chat/completions", CHAT)
        await worker.until(lambda: bool(worker.requests))
        await client.leave()
        await worker.until(lambda: worker.cancelled == [worker.requests[0].request_id])
        await until_no_job_is_left(redis)
