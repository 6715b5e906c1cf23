"""The official Python clients of Ollama and OpenAI, unchanged, against a served gateway."""

from collections.abc import AsyncIterator

import aiohttp
import httpx
import ollama
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, Stage, say
from shared.errors import RunnerDied
from shared.model_index import ModelIndex

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hel", "lo")).running() as worker:
        yield worker


@pytest.fixture
async def openai_client(gateway_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything", max_retries=0) as client:
        yield client


@pytest.fixture
async def ollama_client(gateway_url: str) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=gateway_url) as client:
        yield client


async def test_ollama_chats_with_and_without_streaming(
    ollama_client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    reply = await ollama_client.chat(model="tiny", messages=messages)
    assert (reply.message.content, reply.done_reason, reply.eval_count) == ("Hello", "stop", 2)
    chunks = [chunk async for chunk in await ollama_client.chat(model="tiny", messages=messages, stream=True)]
    assert [chunk.message.content for chunk in chunks] == ["Hel", "lo", ""]
    assert chunks[-1].done


async def test_ollama_generates_with_and_without_streaming(
    ollama_client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    reply = await ollama_client.generate(model="tiny", prompt="Hi", options={"seed": 1})
    assert (reply.response, reply.context) == ("Hello", [0, 1])
    chunks = [chunk async for chunk in await ollama_client.generate(model="tiny", prompt="Hi", stream=True)]
    assert "".join(chunk.response or "" for chunk in chunks) == "Hello"


async def test_a_text_may_hold_whatever_some_take_for_the_end_of_a_line(
    gateway_url: str, ollama_client: ollama.AsyncClient, openai_client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    said = "a\u2028b\u2029c\x85d"
    worker.play = say(said)
    messages = [{"role": "user", "content": "Hi"}]
    stream = await ollama_client.chat(model="tiny", messages=messages, stream=True)
    assert "".join([chunk.message.content or "" async for chunk in stream]) == said
    async with httpx.AsyncClient(base_url=gateway_url) as reader:
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
            body = {"model": "tiny", "messages": messages, "input": "Hi", "max_tokens": 9, "stream": True}
            async with reader.stream("POST", path, json=body) as response:
                lines = [line async for line in response.aiter_lines()]
            assert all(not line or line.startswith(("data: ", "event: ")) for line in lines)


async def test_ollama_raises_our_error_with_its_status(ollama_client: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError) as refused:
        await ollama_client.chat(model="absent")
    assert (refused.value.status_code, refused.value.error) == (404, "model 'absent' not found")


async def test_ollama_lists_running_models(ollama_client: ollama.AsyncClient, worker: ScriptedWorker) -> None:
    running = (await ollama_client.ps()).models
    assert [model.name for model in running] == ["tiny:latest"]


async def test_openai_completes_without_streaming(openai_client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await openai_client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=50, max_completion_tokens=9, stop="END", seed=3
    )
    assert reply.id.startswith("chatcmpl-")
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("Hello", "stop")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (7, 2, 9)
    options = worker.requests[0].options
    assert (options.num_predict, options.temperature, options.top_p) == (9, 1.0, 1.0)
    assert (options.stop, options.seed) == (("END",), 3)


async def test_openai_streams_and_ends_with_the_usage_that_was_asked_for(
    openai_client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    stream = await openai_client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    *parts, finish, usage = chunks
    assert [part.choices[0].delta.content for part in parts] == ["Hel", "lo"]
    assert [part.choices[0].delta.role for part in parts] == ["assistant", None]
    assert all(chunk.usage is None for chunk in (*parts, finish))
    assert (finish.choices[0].finish_reason, usage.choices) == ("stop", [])
    assert usage.usage is not None
    assert usage.usage.total_tokens == 9


async def test_openai_raises_an_error_in_mid_stream(
    openai_client: openai.AsyncOpenAI, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await stage.fail(RunnerDied("it crashed"))

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        stream = await openai_client.chat.completions.create(model="tiny", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="it crashed"):
            [chunk async for chunk in stream]


async def test_openai_raises_its_own_class_for_an_unknown_model(openai_client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await openai_client.chat.completions.create(model="absent", messages=HELLO)


async def test_openai_lists_models_and_finds_one(openai_client: openai.AsyncOpenAI) -> None:
    assert sorted([model.id async for model in openai_client.models.list()]) == ["embedder:latest", "tiny:latest"]
    found = await openai_client.models.retrieve("tiny")
    assert (found.id, found.owned_by, found.created) == ("tiny", "library", 1_700_000_000)


@pytest.mark.parametrize("name", ["team/bot", "team/bot:latest", "registry.example:5000/team/bot:v1"])
async def test_openai_finds_a_model_whose_name_has_slashes(
    openai_client: openai.AsyncOpenAI, http: aiohttp.ClientSession, gateway_url: str, redis: Redis, name: str
) -> None:
    await ModelIndex(redis).publish([model_entry("team/bot"), model_entry("registry.example:5000/team/bot:v1")])
    found = await openai_client.models.retrieve(name)
    assert (found.id, found.owned_by) == (name, "team")
    async with http.get(f"{gateway_url}/v1/models/{name}") as response:
        assert (await response.json())["id"] == name


async def test_openai_is_told_in_its_own_words_that_a_model_is_not_there(
    openai_client: openai.AsyncOpenAI, http: aiohttp.ClientSession, gateway_url: str
) -> None:
    with pytest.raises(openai.NotFoundError):
        await openai_client.models.retrieve("team/absent")
    async with http.get(f"{gateway_url}/v1/models/absent") as response:
        assert response.status == 404
        assert await response.json() == {
            "error": {
                "message": "model 'absent:latest' not found",
                "type": "not_found_error",
                "param": None,
                "code": None,
            }
        }
