"""Lost workers and a lost Redis, as clients meet them."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import ScriptedWorker, Stage, say
from harness.valkey import server_binary
from integration.gateway.setup import TINY, serving, settings, until_no_job_is_left
from shared import redis_client
from shared.errors import RunnerDied
from shared.model_index import ModelIndex

PROMPT = {"model": "tiny", "prompt": "Hi"}


async def generate(http: aiohttp.ClientSession, url: str, **fields: object) -> tuple[int, dict[str, Any]]:
    async with http.post(f"{url}/api/generate", json={**PROMPT, "stream": False, **fields}) as response:
        return response.status, await response.json()


async def test_a_job_that_was_taken_but_never_started_is_given_to_another(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def silent_at_first(stage: Stage) -> None:
        if stage.request.attempt > 1:
            await say("second")(stage)

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=silent_at_first).running() as worker:
        status, body = await generate(http, gateway_url)
    assert (status, body["response"]) == (200, "second")
    assert [request.attempt for request in worker.requests] == [1, 2]
    await until_no_job_is_left(redis)


async def test_the_events_of_an_older_attempt_do_not_count(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    late: list[Stage] = []

    async def play(stage: Stage) -> None:
        if stage.request.attempt == 1:
            late.append(stage)
            return
        await late[0].start()
        await late[0].say("old")
        await say("new")(stage)

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        _, body = await generate(http, gateway_url)
    assert body["response"] == "new"


async def test_three_silent_attempts_are_an_error(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def silent(stage: Stage) -> None:
        pass

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=silent).running() as worker:
        status, body = await generate(http, gateway_url)
    assert (status, len(worker.requests)) == (500, 3)
    assert body["error"].startswith("an error was encountered while running the model:")
    await until_no_job_is_left(redis)


async def test_a_worker_lost_before_any_output_is_replaced_unnoticed(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    started = asyncio.Event()

    async def start_and_stall(stage: Stage) -> None:
        await stage.start()
        started.set()

    first = ScriptedWorker(redis, redis_url, WEIGHTS, play=start_and_stall, worker_id="worker-1")
    second = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok"), worker_id="worker-2")
    async with contextlib.AsyncExitStack() as stack:
        async with first.running():
            answer = asyncio.create_task(generate(http, gateway_url))
            await asyncio.wait_for(started.wait(), timeout=10)
            await first.die()
        await stack.enter_async_context(second.running())
        status, body = await answer
    assert (status, body["response"]) == (200, "ok")
    assert second.requests[0].attempt == 2


async def test_a_worker_lost_after_output_ends_the_stream_with_an_error(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def speak_and_die(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await worker.die()

    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=speak_and_die)
    async with worker.running(), http.post(f"{gateway_url}/api/generate", json=PROMPT) as response:
        lines = [json.loads(line) async for line in response.content]
    assert lines[0]["response"] == "a"
    assert lines[1:] == [{"error": "an error was encountered while running the model: its worker was lost"}]
    await until_no_job_is_left(redis)


async def test_a_frame_that_comes_twice_is_told_once(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def repeat(stage: Stage) -> None:
        await stage.start()
        await stage.say("once")
        await stage.send_last_frame_again()
        await stage.finish()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=repeat).running():
        status, body = await generate(http, gateway_url)
    assert (status, body["response"]) == (200, "once")


async def test_a_missing_frame_ends_the_stream_with_an_error(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def lose_the_second(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        stage.lose_a_frame()
        await stage.say("c")

    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=lose_the_second)
    async with worker.running(), http.post(f"{gateway_url}/api/generate", json=PROMPT) as response:
        lines = [json.loads(line) async for line in response.content]
    assert lines[0]["response"] == "a"
    assert lines[1:] == [{"error": "a part of the answer was lost on its way, please try again"}]
    await until_no_job_is_left(redis)


async def test_a_runner_that_dies_before_any_output_is_tried_again(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def crash_once(stage: Stage) -> None:
        if stage.request.attempt == 1:
            await stage.start()
            await stage.fail(RunnerDied("out of memory"))
        else:
            await say("ok")(stage)

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=crash_once).running():
        status, body = await generate(http, gateway_url)
    assert (status, body["response"]) == (200, "ok")


async def test_a_generation_ends_at_its_deadline(redis: Redis, redis_url: str, http: aiohttp.ClientSession) -> None:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, generation_deadline_s=0.2)) as url:
        status, body = await generate(http, url)
    assert (status, body["error"]) == (504, "the generation did not end before its deadline")
    await until_no_job_is_left(redis)


async def test_without_any_worker_the_wait_is_bounded(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, no_worker_wait_s=0.2)) as url:
        status, body = await generate(http, url)
        async with http.get(f"{url}/readyz") as response:
            assert (response.status, await response.text()) == (200, "ready"), "another gateway could do no more"
    assert (status, body["error"]) == (503, "no worker is running")
    await until_no_job_is_left(redis)


class OwnValkey:
    """A server of this test's own, that it may stop and start again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            str(server_binary()),
            *("--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--dir", str(self._folder)),
            *("--appendonly", "yes", "--save", ""),
            stdout=subprocess.DEVNULL,
        )
        client = redis_client.connect(self.url)

        async def answers() -> bool:
            try:
                return bool(await client.ping())
            except (OSError, RedisError):
                return False

        await until(answers, within_s=10)
        await client.aclose()

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
            self._process = None


@pytest.fixture
async def own_valkey(tmp_path: Path) -> AsyncIterator[OwnValkey]:
    server = OwnValkey(tmp_path)
    await server.start()
    yield server
    await server.stop()


async def test_a_lost_redis_ends_streams_refuses_requests_and_is_forgotten_when_it_is_back(
    own_valkey: OwnValkey, http: aiohttp.ClientSession
) -> None:
    async def speak_and_wait(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")

    redis = redis_client.connect(own_valkey.url)
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(own_valkey.url)) as url:
        async with (
            ScriptedWorker(redis, own_valkey.url, WEIGHTS, play=speak_and_wait).running(),
            http.post(f"{url}/api/generate", json=PROMPT) as response,
        ):
            assert json.loads(await response.content.readline())["response"] == "a"
            await own_valkey.stop()
            assert "cannot reach its queue" in json.loads(await response.content.readline())["error"]
            assert await response.content.readline() == b""
        async with http.post(f"{url}/api/generate", json=PROMPT) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        async with http.get(f"{url}/readyz") as response:
            assert (response.status, await response.text()) == (503, "Redis cannot be reached")

        await own_valkey.start()

        async def works_again() -> bool:
            async with http.get(f"{url}/v1/models") as response:
                return response.status == 200

        await until(works_again, within_s=10)
        await until_no_job_is_left(redis)
        async with ScriptedWorker(redis, own_valkey.url, WEIGHTS, play=say("back")).running():

            async def answers() -> bool:
                status, body = await generate(http, url)
                return status == 200 and body["response"] == "back"

            await until(answers, within_s=10)
    await redis.aclose()
