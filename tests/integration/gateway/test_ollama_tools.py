"""Tools, thoughts, images and gaps through Ollama's API, asked for by the official client."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import ollama
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, Stage, say
from integration.gateway.setup import TINY
from shared.generation import ChatPrompt, InsertPrompt, Message, Piece, ToolCall
from shared.model_index import ModelIndex

ABLE = msgspec.structs.replace(
    model_entry("able", capabilities=("completion", "tools", "thinking", "insert", "vision")),
    template="{{ .Prompt }}<gap>{{ .Suffix }}",
)
CALL = ToolCall("add", '{"b": 2, "a": 1}', "call_1")
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}},
    },
}
ASKED = [{"role": "user", "content": "1+2?"}]


async def think_speak_and_call(stage: Stage) -> None:
    await stage.start()
    await stage.tell(Piece(thinking="An addi"), Piece("I add.", "tion.", (CALL,)), Piece(tool_calls=(CALL,)))
    await stage.finish()


@pytest.fixture
async def client(gateway_url: str, redis: Redis) -> AsyncIterator[ollama.AsyncClient]:
    await ModelIndex(redis).publish([TINY, ABLE])
    async with ollama.AsyncClient(host=gateway_url) as client:
        yield client


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=think_speak_and_call, model=ABLE.name.full)
    async with worker.running():
        yield worker


async def test_a_chat_with_tools_streams_thoughts_text_and_calls_apart(
    client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    stream = await client.chat(model="able", messages=ASKED, tools=[ADD], think="low", stream=True)
    chunks = [chunk async for chunk in stream]
    assert [(one.message.thinking, one.message.content, bool(one.message.tool_calls), one.done) for one in chunks] == [
        ("An addi", "", False, False),
        ("tion.", "", False, False),
        (None, "I add.", False, False),
        (None, "", True, False),
        (None, "", True, False),
        (None, "", False, True),
    ]
    calls = [call for chunk in chunks for call in chunk.message.tool_calls or []]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("add", {"b": 2, "a": 1})] * 2
    assert chunks[-1].done_reason == "stop"
    prompt = worker.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert (prompt.tools, prompt.think) == ((ADD,), "low")


async def test_a_whole_chat_has_thoughts_text_and_calls_in_one_message(
    client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    reply = await client.chat(model="able", messages=ASKED, tools=[ADD])
    assert (reply.message.thinking, reply.message.content) == ("An addition.", "I add.")
    assert [call.function.name for call in reply.message.tool_calls or []] == ["add", "add"]


async def test_calls_carry_their_ids_and_count_from_zero(
    gateway_url: str, http: aiohttp.ClientSession, client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    body = {"model": "able", "messages": ASKED, "tools": [ADD]}
    async with http.post(f"{gateway_url}/api/chat", json=body) as response:
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    calls = [call for line in lines for call in line["message"].get("tool_calls", [])]
    assert [(call["id"], call["function"]["index"]) for call in calls] == [("call_1", 0), ("call_1", 1)]


async def test_the_next_turn_of_an_agent_reaches_the_worker_whole(
    client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    reply = await client.chat(model="able", messages=ASKED, tools=[ADD])
    result = {"role": "tool", "content": "3", "tool_name": "add"}
    await client.chat(model="able", messages=[*ASKED, reply.message, result], tools=[ADD])
    prompt = worker.requests[1].prompt
    assert isinstance(prompt, ChatPrompt)
    asked, called, answered = prompt.messages
    assert asked == Message("user", "1+2?")
    assert (called.content, called.thinking) == ("I add.", "An addition.")
    assert [(call.name, call.arguments) for call in called.tool_calls] == [("add", '{"b":2,"a":1}')] * 2
    assert answered == Message("tool", "3", tool_name="add")


async def test_generate_thinks_and_tells_calls_at_the_end(client: ollama.AsyncClient, worker: ScriptedWorker) -> None:
    chunks = [chunk async for chunk in await client.generate(model="able", prompt="1+2?", stream=True)]
    assert "".join(chunk.thinking or "" for chunk in chunks) == "An addition."
    assert "".join(chunk.response or "" for chunk in chunks) == "I add."
    prompt = worker.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.think is True


async def test_images_are_sent_as_bytes_with_the_message_they_belong_to(
    client: ollama.AsyncClient, worker: ScriptedWorker
) -> None:
    picture = b"\x89PNG\r\n\x1a\n"
    await client.chat(model="able", messages=[{"role": "user", "content": "What?", "images": [picture]}])
    await client.generate(model="able", prompt="What?", images=[picture, b"\xff\xd8\xff"])
    chat, generate = (request.prompt for request in worker.requests)
    assert isinstance(chat, ChatPrompt)
    assert isinstance(generate, ChatPrompt)
    assert chat.messages == (Message("user", "What?", images=(picture,)),)
    assert generate.messages == (Message("user", "What?", images=(picture, b"\xff\xd8\xff")),)


async def test_a_suffix_makes_a_gap_to_fill(client: ollama.AsyncClient, worker: ScriptedWorker) -> None:
    reply = await client.generate(model="able", prompt="def f(", suffix="return 1", think=False)
    assert reply.response == "I add."
    assert worker.requests[0].prompt == InsertPrompt(
        before="def f(", after="return 1", template=str(ABLE.template), think=False
    )


async def test_a_model_that_cannot_think_is_not_told_to(
    client: ollama.AsyncClient, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        await client.chat(model="tiny", messages=ASKED)
        await client.chat(model="tiny", messages=ASKED, think=False)
    prompts = [request.prompt for request in worker.requests]
    assert [prompt.think for prompt in prompts if isinstance(prompt, ChatPrompt)] == [None, False]


@pytest.mark.parametrize(
    ("route", "fields", "shape"),
    [
        ("chat", {"messages": [{"role": "user", "content": "Hi", "images": ["aGk="]}]}, {"image_count": 1}),
        ("generate", {"prompt": "Hi"}, {}),
    ],
)
async def test_a_client_may_look_at_the_prompt_without_an_answer(
    gateway_url: str,
    http: aiohttp.ClientSession,
    client: ollama.AsyncClient,
    redis: Redis,
    redis_url: str,
    route: str,
    fields: dict[str, Any],
    shape: dict[str, int],
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("<user>Hi")).running() as worker:
        body = {"model": "able", "_debug_render_only": True, **fields}
        async with http.post(f"{gateway_url}/api/{route}", json=body) as response:
            reply = await response.json()
        assert (worker.requests[0].count_only, worker.requests[0].render_only) == (True, True)
    assert reply["_debug_info"] == {"rendered_template": "<user>Hi", **shape}
    assert (reply["done"], reply.get("response", ""), reply.get("message", {}).get("content", "")) == (False, "", "")


ERRORS: list[tuple[str, dict[str, Any], str]] = [
    ("chat", {"tools": "x"}, "json: cannot unmarshal string into Go struct field ChatRequest.tools of type api.Tools"),
    (
        "chat",
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        "Value looks like object, but can't find closing '}' symbol",
    ),
    ("chat", {"messages": [{"role": "user", "images": ["!"]}]}, "illegal base64 data at input byte 0"),
    ("generate", {"prompt": "a", "images": ["aGk=", "aGk"]}, "illegal base64 data at input byte 0"),
    (
        "generate",
        {"prompt": "a", "think": 1},
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
    ),
    ("generate", {"prompt": "a", "suffix": "b", "raw": True}, "raw mode does not support suffix or images"),
]


@pytest.mark.parametrize(("route", "fields", "text"), ERRORS)
async def test_what_cannot_be_understood_is_refused_in_ollamas_words(
    gateway_url: str,
    http: aiohttp.ClientSession,
    client: ollama.AsyncClient,
    route: str,
    fields: dict[str, Any],
    text: str,
) -> None:
    async with http.post(f"{gateway_url}/api/{route}", json={"model": "able", **fields}) as response:
        assert (response.status, await response.json()) == (400, {"error": text})
