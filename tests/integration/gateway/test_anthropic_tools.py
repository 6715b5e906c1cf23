"""Tools, thoughts, images and schemas through the official Anthropic client, against a served gateway."""

import base64
import json
from collections.abc import AsyncIterator

import anthropic
import pydantic
import pytest
from anthropic.types import MessageParam, ToolParam
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, Stage, say
from integration.gateway.setup import TINY
from shared.generation import ChatPrompt, Message, Piece, ToolCall
from shared.model_index import ModelIndex

ABLE = model_entry("able", capabilities=("completion", "tools", "thinking", "vision"))
ASKED: list[MessageParam] = [{"role": "user", "content": "What is 2 + 3?"}]
ADD: ToolParam = {
    "name": "add",
    "description": "Adds two numbers.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def client(gateway_url: str, redis: Redis) -> AsyncIterator[anthropic.AsyncAnthropic]:
    await ModelIndex(redis).publish([TINY, ABLE])
    async with anthropic.AsyncAnthropic(base_url=gateway_url, api_key="anything", max_retries=0) as client:
        yield client


def prompt_of(worker: ScriptedWorker, index: int = 0) -> ChatPrompt:
    prompt = worker.requests[index].prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


async def calls_add_then_answers(stage: Stage) -> None:
    """A model that thinks, calls `add` and, once it has been told the sum, says it."""
    prompt = stage.request.prompt
    assert isinstance(prompt, ChatPrompt)
    await stage.start()
    last = prompt.messages[-1]
    if last.role == "tool":
        await stage.tell(Piece("It is "), Piece(last.content))
    else:
        await stage.tell(Piece(thinking="I should "), Piece("Let me see.", "add."))
        await stage.tell(Piece(tool_calls=(ToolCall("add", '{"a": 2, "b": 3}', "call_7"),)))
    await stage.finish()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_loop_closes(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str, *, stream: bool
) -> None:
    async def message(said: list[MessageParam]) -> anthropic.types.Message:
        if not stream:
            return await client.messages.create(model="able", max_tokens=99, messages=said, tools=[ADD])
        async with client.messages.stream(model="able", max_tokens=99, messages=said, tools=[ADD]) as opened:
            return await opened.get_final_message()

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=calls_add_then_answers).running() as worker:
        first = await message(ASKED)
        thought, text, use = first.content
        assert (thought.type, text.type, use.type) == ("thinking", "text", "tool_use")
        assert thought.type == "thinking"
        assert (thought.thinking, thought.signature) == ("I should add.", "")
        assert use.type == "tool_use"
        assert (use.id, use.input) == ("toolu_call_7", {"a": 2, "b": 3})
        assert first.stop_reason == "tool_use"
        last = await message(
            [
                *ASKED,
                first.to_param(),
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "5"}]},
            ]
        )
    assert [block.type == "text" and block.text for block in last.content] == ["It is 5"]
    assert last.stop_reason == "end_turn"
    assert prompt_of(worker).tools == (
        {
            "type": "function",
            "function": {"name": "add", "description": "Adds two numbers.", "parameters": ADD["input_schema"]},
        },
    )
    assert prompt_of(worker, 1).messages[1:] == (
        Message(
            "assistant",
            "Let me see.",
            thinking="I should add.",
            tool_calls=(ToolCall("add", '{"a":2,"b":3}', "call_7"),),
        ),
        Message("tool", "5", tool_name="add", tool_call_id="call_7"),
    )


async def test_the_clients_own_tool_runner_runs(client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str) -> None:
    @anthropic.beta_async_tool
    async def add(a: int, b: int) -> str:
        """Adds two numbers."""
        return str(a + b)

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=calls_add_then_answers).running():
        runner = client.beta.messages.tool_runner(
            model="able", max_tokens=99, tools=[add], messages=[{"role": "user", "content": "What is 2 + 3?"}]
        )
        last = await runner.until_done()
    assert [block.type == "text" and block.text for block in last.content] == ["It is 5"]


async def test_the_choice_of_tools_reaches_the_worker(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        await client.messages.create(
            model="able",
            max_tokens=9,
            messages=ASKED,
            tools=[ADD],
            tool_choice={"type": "tool", "name": "add", "disable_parallel_tool_use": True},
        )
        await client.messages.create(
            model="able", max_tokens=9, messages=ASKED, tools=[ADD], tool_choice={"type": "none"}
        )
    assert (prompt_of(worker).forced_tools, prompt_of(worker).one_tool_call) == (("add",), True)
    assert prompt_of(worker, 1).tools == ()


async def test_a_picture_reaches_the_worker_and_no_model_that_cannot_see(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    data = base64.b64encode(PNG).decode()
    said: list[MessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
                {"type": "text", "text": "What is this?"},
            ],
        }
    ]
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("A dot.")).running() as worker:
        await client.messages.create(model="able", max_tokens=9, messages=said)
        with pytest.raises(anthropic.BadRequestError, match="does not support images"):
            await client.messages.create(model="tiny", max_tokens=9, messages=said)
    assert prompt_of(worker).messages == (Message("user", "What is this?", images=(PNG,)),)


async def test_thinking_reaches_a_model_that_can_and_others_just_answer(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        for model in ("able", "tiny"):
            await client.messages.create(
                model=model,
                max_tokens=2048,
                messages=ASKED,
                thinking={"type": "enabled", "budget_tokens": 1024},
                output_config={"effort": "low"},
            )
        await client.messages.create(model="able", max_tokens=9, messages=ASKED, thinking={"type": "disabled"})
    assert [prompt_of(worker, index).think for index in range(3)] == ["low", None, False]


async def test_all_that_a_coding_agent_says_at_once_is_understood(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    body = {
        "system": [{"type": "text", "text": "You are an agent. "}, {"type": "text", "text": "Be brief.", **cached}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<reminder/>"}, {"type": "text", "text": "Add."}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
                    {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {"a": 2}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "1"}]},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "b?", "is_error": True, **cached},
                    {"type": "text", "text": "<reminder/>"},
                ],
            },
        ],
        "tools": [{**ADD, "eager_input_streaming": True, **cached}],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "user_1_account__session_2"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running() as worker:
        reply = await client.post(
            "/v1/messages?beta=true",
            cast_to=str,
            body={"model": "able", "max_tokens": 32_000, **body},
            options={"headers": {"anthropic-beta": "interleaved-thinking-2025-05-14,context-management-2025-06-27"}},
        )
    assert reply.startswith("event: message_start")
    assert [(message.role, message.content) for message in prompt_of(worker).messages] == [
        ("system", "You are an agent. Be brief."),
        ("user", "<reminder/>Add."),
        ("assistant", ""),
        ("tool", "1"),
        ("tool", "Error: b?"),
        ("user", "<reminder/>"),
    ]
    assert prompt_of(worker).think == "medium"


class Sum(pydantic.BaseModel):
    sum: int


async def test_a_schema_reaches_the_worker_and_the_client_reads_the_answer(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say('{"sum"', ": 5}")).running() as worker:
        message = await client.messages.parse(model="tiny", max_tokens=99, messages=ASKED, output_format=Sum)
    assert message.parsed_output == Sum(sum=5)
    schema = worker.requests[0].sampling.json_schema
    assert schema is not None
    assert json.loads(schema)["properties"]["sum"]["type"] == "integer"


async def test_tools_and_thinking_are_counted(client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say()).running() as worker:
        await client.messages.count_tokens(
            model="able", messages=ASKED, tools=[ADD], thinking={"type": "enabled", "budget_tokens": 1024}
        )
    assert worker.requests[0].count_only
    assert (len(prompt_of(worker).tools), prompt_of(worker).think) == (1, True)
