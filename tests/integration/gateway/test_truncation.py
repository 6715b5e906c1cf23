"""Nothing is left out in silence: what each dialect asks of the worker, and how each tells what was lost."""

import json

import aiohttp
import anthropic
import openai
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage, say
from shared.errors import ContextLengthExceeded
from shared.generation import DoneReason

TURNS = [{"role": "user", "content": "Hi"}]
NATIVE = ("/api/chat", {"model": "tiny", "messages": TURNS})
OPENAI = ("/v1/chat/completions", {"model": "tiny", "messages": TURNS})
COMPLETION = ("/v1/completions", {"model": "tiny", "prompt": "Hi"})
ANTHROPIC = ("/v1/messages", {"model": "tiny", "messages": TURNS, "max_tokens": 5})
DIALECTS = (NATIVE, OPENAI, COMPLETION, ANTHROPIC)


async def loses(stage: Stage) -> None:
    await stage.start()
    await stage.truncate(dropped_messages_count=2)
    await stage.truncate(dropped_messages_count=3, dropped_tokens_count=40)
    await stage.say("Hel", "lo")
    await stage.finish(DoneReason.LENGTH, dropped_messages_count=3, shifted_tokens_count=70)


async def too_long(stage: Stage) -> None:
    await stage.start()
    await stage.fail(ContextLengthExceeded(prompt_tokens=300, context_tokens=200))


@pytest.mark.parametrize(("path", "asked"), DIALECTS)
async def test_what_a_prompt_lost_is_in_the_header_before_the_first_byte_and_in_the_last_chunk(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, path: str, asked: dict[str, object]
) -> None:
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=loses).running(),
        http.post(f"{gateway_url}{path}", json={**asked, "stream": True}) as response,
    ):
        assert response.headers["X-Corral-Truncated"] == "messages=3, tokens=40"
        chunks = [
            json.loads(line.removeprefix("data: ")) for line in (await response.text()).split("\n") if "{" in line
        ]
    (last,) = [chunk for chunk in chunks if "shifted_tokens_count" in chunk]
    assert (last["dropped_messages_count"], last["shifted_tokens_count"]) == (3, 70)


@pytest.mark.parametrize(("path", "asked"), DIALECTS)
async def test_a_whole_reply_tells_all_that_was_lost_in_both_places(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession, path: str, asked: dict[str, object]
) -> None:
    async with (
        ScriptedWorker(redis, redis_url, WEIGHTS, play=loses).running(),
        http.post(f"{gateway_url}{path}", json={**asked, "stream": False}) as response,
    ):
        body = await response.json()
        assert response.headers["X-Corral-Truncated"] == "messages=3, shifted=70"
    assert (body["dropped_messages_count"], body["shifted_tokens_count"]) == (3, 70)


@pytest.mark.parametrize(
    ("path", "asked", "truncate", "shift"),
    [
        (*NATIVE, True, True),
        (NATIVE[0], {**NATIVE[1], "truncate": False, "shift": False}, False, False),
        ("/api/generate", {"model": "tiny", "prompt": "Hi", "shift": False}, True, False),
        (*OPENAI, False, False),
        (*COMPLETION, False, False),
        (*ANTHROPIC, False, False),
    ],
)
async def test_only_ollamas_own_api_lets_a_conversation_lose_anything(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession,
    path: str, asked: dict[str, object], truncate: bool, shift: bool,
) -> None:  # fmt: skip
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok"))
    async with worker.running(), http.post(f"{gateway_url}{path}", json={**asked, "stream": False}) as response:
        assert response.status == 200
    (request,) = worker.requests
    assert (request.truncate, request.shift) == (truncate, shift)


async def test_a_conversation_that_is_too_long_is_refused_in_the_words_that_each_client_knows(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=too_long).running():
        async with http.post(f"{gateway_url}/api/chat", json=NATIVE[1]) as response:
            assert response.status == 400
            text = (await response.json())["error"]
            assert text.startswith("the prompt is longer than the context length currently available to the model")
            assert text.endswith("(300 tokens, 200 available)")
        async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="any", max_retries=0) as client:
            with pytest.raises(openai.BadRequestError, match="maximum context length is 200 tokens") as refused:
                await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}])
            assert (refused.value.code, refused.value.type) == ("context_length_exceeded", "invalid_request_error")
        async with anthropic.AsyncAnthropic(base_url=gateway_url, api_key="any", max_retries=0) as other:
            with pytest.raises(anthropic.BadRequestError, match="prompt is too long: 300 tokens > 200 maximum"):
                await other.messages.create(model="tiny", max_tokens=5, messages=[{"role": "user", "content": "Hi"}])
