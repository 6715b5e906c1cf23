"""Ollama's dialect from HTTP through the real queue and back, answered by a scripted worker."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.polling import until
from fakes.worker import ScriptedWorker, Stage, say
from integration.gateway.setup import EMBEDDER, TINY, has_jobs, serving, settings, until_no_job_is_left
from shared.cluster_state import GatewayState
from shared.errors import ContextLengthExceeded, RunnerDied
from shared.generation import ChatPrompt, DoneReason, GenerationRequest, LoadOnly, Message, RawPrompt
from shared.leases import Roster
from shared.model_index import ModelIndex


async def post(http: aiohttp.ClientSession, url: str, **fields: object) -> dict[str, Any]:
    async with http.post(url, json=fields) as response:
        assert response.status == 200, await response.text()
        body: dict[str, Any] = await response.json()
        return body


async def stream(http: aiohttp.ClientSession, url: str, **fields: object) -> list[dict[str, Any]]:
    async with http.post(url, json=fields) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in (await response.text()).splitlines()]


async def one_request(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, url: str, **fields: object
) -> GenerationRequest:
    """The job that a request becomes."""
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        await post(http, url, **fields)
        return worker.requests[0]


async def test_chat_streams_one_line_a_token_and_a_last_one_with_the_numbers(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hel", "lo ", '"<é>"')).running():
        lines = await stream(
            http, f"{gateway_url}/api/chat", model="TINY:latest", messages=[{"role": "user", "content": "Hi"}]
        )
    *chunks, last = lines
    assert [chunk["message"] for chunk in chunks] == [
        {"role": "assistant", "content": text} for text in ("Hel", "lo ", '"<é>"')
    ]
    assert all(chunk["model"] == "TINY:latest" and chunk["done"] is False for chunk in chunks)
    assert all(chunk["created_at"].endswith("Z") and "." in chunk["created_at"] for chunk in lines)
    assert (last["done"], last["done_reason"], last["message"]["content"]) == (True, "stop", "")
    assert (last["prompt_eval_count"], last["eval_count"]) == (7, 3)
    for duration in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert last[duration] > 0
    await until_no_job_is_left(redis)


async def test_generate_without_streaming_is_one_object_with_its_context(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("a", "b", reason=DoneReason.LENGTH)).running():
        body = await post(http, f"{gateway_url}/api/generate", model="tiny", prompt="Hi", stream=False)
    assert (body["response"], body["done"], body["done_reason"], body["context"]) == ("ab", True, "length", [0, 1])


async def test_a_chat_has_the_models_own_messages_in_front(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    stored = (Message("user", "2+2?"), Message("assistant", "4"))
    await ModelIndex(redis).publish([model_entry("tiny", system="Be brief.", messages=stored)])
    job = await one_request(
        redis, redis_url, http, f"{gateway_url}/api/chat",
        model="tiny", stream=False, messages=[{"role": "User", "content": "3+3?"}],
    )  # fmt: skip
    assert job.prompt == ChatPrompt(
        messages=(Message("system", "Be brief."), *stored, Message("user", "3+3?")),
        model_messages_count=3,
    )


async def test_options_of_the_request_replace_the_models_key_by_key(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    job = await one_request(
        redis, redis_url, http, f"{gateway_url}/api/generate",
        model="tiny", prompt="Hi", stream=False, keep_alive="1m30s", OPTIONS={"num_predict": 5, "mirostat": 1},
    )  # fmt: skip
    assert (job.options.temperature, job.options.stop, job.options.num_predict) == (0.5, ("END",), 5)
    assert job.keep_alive_s == 90
    assert (job.model, job.tenant, job.user) == (TINY.name.full, "local", "local")


async def test_a_raw_prompt_goes_through_as_it_is(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    job = await one_request(
        redis, redis_url, http, f"{gateway_url}/api/generate", model="tiny", prompt="<s>Hi", raw=True, stream=False
    )
    assert (job.prompt, job.want_context) == (RawPrompt(text="<s>Hi"), False)


@pytest.mark.parametrize(
    ("route", "shape"),
    [("generate", {"response": ""}), ("chat", {"message": {"role": "assistant", "content": ""}})],
)
async def test_a_request_without_a_prompt_loads_the_model_and_is_one_object_even_when_streaming(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, route: str, shape: dict[str, object]
) -> None:
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("never"), resident=False)
    async with worker.running():
        body = await post(http, f"{gateway_url}/api/{route}", model="tiny", keep_alive=-1)
    body.pop("created_at")
    assert body == {"model": "tiny", **shape, "done": True, "done_reason": "load"}
    assert isinstance(worker.requests[0].prompt, LoadOnly)
    assert worker.requests[0].keep_alive_s == -1
    assert worker.is_resident


@pytest.mark.parametrize("route", ["generate", "chat"])
async def test_keep_alive_zero_without_a_prompt_unloads(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, route: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        body = await post(http, f"{gateway_url}/api/{route}", model="tiny", keep_alive="0s")
        assert not worker.is_resident
    assert (body["done"], body["done_reason"]) == (True, "unload")
    assert worker.requests == []


async def test_unloading_needs_neither_capability_nor_worker(gateway_url: str, http: aiohttp.ClientSession) -> None:
    body = await post(http, f"{gateway_url}/api/generate", model=EMBEDDER.name.short, prompt="", keep_alive=0)
    assert (body["model"], body["done_reason"]) == ("embedder:latest", "unload")


async def test_a_wanted_model_that_is_nowhere_is_loaded(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok"), resident=False).running() as worker:
        body = await post(http, f"{gateway_url}/api/generate", model="tiny", prompt="Hi", stream=False)
        assert worker.is_resident
    assert body["response"] == "ok"


@pytest.mark.parametrize("streams", [True, False])
async def test_a_failure_before_the_first_byte_has_its_own_status(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, streams: bool
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.fail(ContextLengthExceeded(prompt_tokens=9, context_tokens=4))

    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running(),
        http.post(f"{gateway_url}/api/generate", json={"model": "tiny", "prompt": "a", "stream": streams}) as response,
    ):
        assert response.status == 400
        assert "(9 tokens, 4 available)" in (await response.json())["error"]


async def test_a_failure_in_mid_stream_is_a_last_line_without_done(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await stage.fail(RunnerDied("it crashed"))

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        lines = await stream(http, f"{gateway_url}/api/generate", model="tiny", prompt="a")
    assert lines[0]["response"] == "a"
    assert lines[1:] == [{"error": "an error was encountered while running the model: it crashed"}]


async def test_dropped_messages_are_told(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.finish(dropped_messages_count=2)

    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running(),
        http.post(f"{gateway_url}/api/generate", json={"model": "tiny", "prompt": "a", "stream": False}) as response,
    ):
        assert (await response.json())["dropped_messages_count"] == 2
        assert response.headers["X-Corral-Truncated"] == "messages=2"


async def test_the_queue_takes_no_more_than_its_limit(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, queue_depth_max=1)) as url:
        first = asyncio.create_task(post(http, f"{url}/api/generate", model="tiny", prompt="a", stream=False))
        await until(lambda: has_jobs(redis), within_s=10)
        async with http.post(f"{url}/api/generate", json={"model": "tiny", "prompt": "b"}) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "1"
            assert await response.json() == {
                "error": "server busy, please try again.  maximum pending requests exceeded"
            }
        async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running():
            assert (await first)["response"] == "ok"


async def test_an_idle_gateway_leaves_its_roster_when_it_stops(redis: Redis, redis_url: str) -> None:
    roster = Roster(redis, "gateway", GatewayState)
    async with serving(settings(redis_url)):
        assert len(await roster.members()) == 1
    assert await roster.members() == {}
