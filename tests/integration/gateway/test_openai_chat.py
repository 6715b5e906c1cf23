"""OpenAI's chat completions with everything beyond text, through the official client and the real queue."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import TINY, serving, settings
from shared.errors import RunnerDied
from shared.generation import ChatPrompt, Message, Piece, ToolCall
from shared.model_index import ModelIndex

ABLE = model_entry("able", capabilities=("completion", "tools", "thinking", "vision", "audio"))
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Oslo and in Rome?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
CLOCK: ChatCompletionToolParam = {"type": "function", "function": {"name": "clock"}}
OSLO, ROME = ToolCall("weather", '{"city": "Oslo"}', "call_1"), ToolCall("weather", '{"city": "Rome"}', "call_2")


class Weather(pydantic.BaseModel):
    """The weather now."""

    city: str


@pytest.fixture
async def client(redis: Redis, redis_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    await ModelIndex(redis).publish([TINY, ABLE])
    async with (
        serving(settings(redis_url)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    """Thinks, speaks, and calls the same tool twice."""

    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.tell(Piece(thinking="Two "), Piece(thinking="cities."))
        await stage.tell(Piece("Let me "), Piece("look."), Piece(tool_calls=(OSLO,)))
        await stage.tell(Piece(tool_calls=(ROME,)))
        await stage.finish()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        yield worker


def prompt_of(worker: ScriptedWorker) -> ChatPrompt:
    prompt = worker.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def arguments_of(call: Any) -> tuple[str, str, object]:
    return call.id, call.function.name, json.loads(call.function.arguments)


async def test_calls_and_thoughts_come_whole(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER])
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me look.")
    assert choice.message.model_extra == {"reasoning": "Two cities."}
    assert [arguments_of(call) for call in choice.message.tool_calls or ()] == [
        ("call_1", "weather", {"city": "Oslo"}),
        ("call_2", "weather", {"city": "Rome"}),
    ]
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 0


async def test_the_streaming_helper_puts_the_same_message_together(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    async with client.chat.completions.stream(
        model="able", messages=ASKED, tools=[openai.pydantic_function_tool(Weather, name="weather")]
    ) as stream:
        called = [
            event.parsed_arguments async for event in stream if event.type == "tool_calls.function.arguments.done"
        ]
        final = await stream.get_final_completion()
    assert called == [Weather(city="Oslo"), Weather(city="Rome")]
    (choice,) = final.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me look.")
    assert (choice.message.model_extra or {})["reasoning"] == "Two cities."
    assert [arguments_of(call)[0] for call in choice.message.tool_calls or ()] == ["call_1", "call_2"]


async def test_the_chunks_of_a_stream_are_in_order(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    stream = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER], stream=True)
    choices = [chunk.choices[0] async for chunk in stream]
    deltas = [choice.delta.model_dump(exclude_unset=True) for choice in choices]
    assert deltas[:4] == [
        {"role": "assistant", "content": "", "reasoning": "Two "},
        {"reasoning": "cities."},
        {"content": "Let me "},
        {"content": "look."},
    ]
    assert [delta["tool_calls"][0]["index"] for delta in deltas[4:6]] == [0, 1]
    assert deltas[6:] == [{}]
    assert [choice.finish_reason for choice in choices] == [None] * 6 + ["tool_calls"]


async def test_what_is_said_of_tools_reaches_the_worker(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    await client.chat.completions.create(
        model="able",
        messages=ASKED,
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        parallel_tool_calls=False,
        reasoning_effort="minimal",
    )
    prompt = prompt_of(worker)
    function = {name: value for name, value in WEATHER["function"].items() if name != "strict"}
    assert prompt.tools[0] == {"type": "function", "function": function}
    assert len(prompt.tools) == 2
    assert (prompt.forced_tools, prompt.one_tool_call, prompt.think) == (("weather",), True, "low")


async def test_tools_that_may_not_be_called_are_not_shown(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER], tool_choice="none")
    assert prompt_of(worker).tools == ()


async def test_the_calls_of_a_conversation_come_back_to_the_worker(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    first = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER])
    said: Any = first.choices[0].message.model_dump(exclude_none=True)
    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
    ]
    await client.chat.completions.create(model="able", messages=[*ASKED, said, *results], tools=[WEATHER])
    assert prompt_of(worker).messages[1:] == (
        Message("assistant", "Let me look.", thinking="Two cities.", tool_calls=(OSLO, ROME)),
        Message("tool", "rain", tool_name="weather", tool_call_id="call_1"),
        Message("tool", "sun", tool_name="weather", tool_call_id="call_2"),
    )


async def test_every_choice_has_its_own_calls(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    reply = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER], n=2)
    assert [len(choice.message.tool_calls or ()) for choice in reply.choices] == [2, 2]
    stream = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER], n=2, stream=True)
    indices = [
        (choice.index, call.index)
        async for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
    ]
    assert sorted(indices) == [(0, 0), (0, 1), (1, 0), (1, 1)]


async def test_functions_the_older_form_of_tools_work(client: openai.AsyncOpenAI, redis: Redis, redis_url: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.tell(Piece(tool_calls=(OSLO,)))
        await stage.finish()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        reply = await client.chat.completions.create(
            model="able", messages=ASKED, functions=[{"name": "weather"}], function_call={"name": "weather"}
        )
    (choice,) = reply.choices
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert (choice.message.function_call.name, choice.message.function_call.arguments) == (OSLO.name, OSLO.arguments)
    assert (prompt_of(worker).forced_tools, prompt_of(worker).one_tool_call) == (("weather",), True)


async def test_pictures_and_sound_reach_the_worker_with_their_text(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    picture, sound = (base64.b64encode(data).decode() for data in (b"png", b"RIFF"))
    await client.chat.completions.create(
        model="able",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
                    {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
                ],
            }
        ],
    )
    assert prompt_of(worker).messages == (Message("user", "What is this?", images=(b"png", b"RIFF")),)


async def test_keep_alive_and_options_of_local_servers_reach_the_worker(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    extra = {"keep_alive": "2m", "options": {"num_ctx": 2048}, "top_k": 7, "min_p": 0.25}
    await client.chat.completions.create(model="able", messages=ASKED, extra_body=extra)
    job = worker.requests[0]
    assert job.keep_alive_s == 120
    assert (job.options.num_ctx, job.options.top_k, job.options.min_p) == (2048, 7, 0.25)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "tiny", "tools": [WEATHER]}, "registry.ollama.ai/library/tiny:latest does not support tools"),
        ({"model": "tiny", "reasoning_effort": "high"}, '"tiny" does not support thinking'),
        ({"model": "able", "tool_choice": "required"}, "tool_choice needs tools to choose from"),
        ({"model": "able", "modalities": ["text", "audio"]}, "this server does not support audio yet"),
        (
            {"model": "able", "tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            'tool_choice names "x", which is not among the tools',
        ),
        (
            {
                "model": "tiny",
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://a"}]}],
            },
            "image URLs are not currently supported, please use base64 encoded data instead",
        ),
        (
            {
                "model": "tiny",
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg=="}}]}
                ],
            },
            '"tiny" does not support audio',
        ),
    ],
)
async def test_what_cannot_be_had_is_refused(client: openai.AsyncOpenAI, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**{"messages": ASKED, **fields})
    assert refused.value.body == {"message": text, "type": "invalid_request_error", "param": None, "code": None}


async def test_a_failure_after_a_call_ends_the_stream_with_an_error(
    client: openai.AsyncOpenAI, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.tell(Piece(tool_calls=(OSLO,)))
        await stage.fail(RunnerDied("it crashed"))

    heard: list[str | None] = []

    async def listen() -> None:
        stream = await client.chat.completions.create(model="able", messages=ASKED, tools=[WEATHER], stream=True)
        async for chunk in stream:
            heard.extend(call.id for call in chunk.choices[0].delta.tool_calls or ())

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        with pytest.raises(openai.APIError, match="it crashed"):
            await listen()
    assert heard == ["call_1"]
