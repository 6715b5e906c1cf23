"""OpenAI's responses through its official client, unchanged, against a served gateway."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import openai
import pydantic
import pytest
from openai.types.responses import FunctionToolParam, Response, ResponseFunctionToolCall, ResponseStreamEvent
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import Play, ScriptedWorker, Stage, say
from integration.gateway.setup import serving, settings
from services.gateway.key_store import KeyStore, Role
from shared import keys
from shared.clock import SystemClock
from shared.errors import RunnerDied
from shared.generation import ChatPrompt, DoneReason, Message, Piece, ToolCall
from shared.model_index import ModelIndex

CAPABLE = model_entry("tiny", capabilities=("completion", "tools", "thinking", "vision"))
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}


def tell(*pieces: Piece, reason: DoneReason = DoneReason.STOP) -> Play:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.tell(*pieces)
        await stage.finish(reason)

    return play


@pytest.fixture
async def gateway_url(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([CAPABLE, model_entry("plain")])
    async with serving(settings(redis_url, response_bytes_max=50_000)) as url:
        yield url


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hel", "lo")).running() as worker:
        yield worker


@pytest.fixture
async def client(gateway_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything", max_retries=0) as client:
        yield client


def prompt_of(worker: ScriptedWorker, index: int = -1) -> ChatPrompt:
    prompt = worker.requests[index].prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def said(prompt: ChatPrompt) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in prompt.messages]


def kinds(events: Sequence[ResponseStreamEvent]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


async def test_a_response_is_given_as_openais_types_describe_it(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    raw = await client.responses.with_raw_response.create(
        model="tiny",
        input="Hi",
        instructions="Be brief.",
        max_output_tokens=9,
        top_p=0.5,
        tools=[WEATHER],
        metadata={"a": "b"},
        user="u",
    )
    response = Response.model_validate_json(raw.content, strict=True)
    assert (response.output_text, response.status, response.object) == ("Hello", "completed", "response")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (7, 2, 9)
    assert (response.instructions, response.metadata, response.user) == ("Be brief.", {"a": "b"}, "u")
    assert (response.temperature, response.top_p, response.max_output_tokens) == (1.0, 0.5, 9)
    assert response.completed_at is not None
    assert response.completed_at >= response.created_at
    assert said(prompt_of(worker)) == [("system", "Be brief."), ("user", "Hi")]
    options = worker.requests[0].options
    assert (options.num_predict, options.temperature, options.top_p) == (9, 1.0, 0.5)
    assert not worker.requests[0].truncate


async def test_a_stream_is_the_clients_own_grammar(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    worker.play = tell(Piece(thinking="Hm"), Piece("Hel"), Piece("lo"))
    async with client.responses.stream(model="tiny", input="Hi") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == "Hello"
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


async def test_an_answer_that_was_cut_is_incomplete(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    worker.play = say("Hel", reason=DoneReason.LENGTH)
    response = await client.responses.create(model="tiny", input="Hi")
    assert (response.status, response.completed_at) == ("incomplete", None)
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    events = [event async for event in await client.responses.create(model="tiny", input="Hi", stream=True)]
    assert events[-1].type == "response.incomplete"


async def test_structured_output_is_parsed_into_the_callers_type(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    class City(pydantic.BaseModel):
        name: str

    worker.play = say('{"name":', '"Bern"}')
    response = await client.responses.parse(model="tiny", input="Capital?", text_format=City)
    assert response.output_parsed == City(name="Bern")
    schema = worker.requests[0].sampling.json_schema
    assert schema is not None
    assert '"name"' in schema


async def test_a_tool_is_called_and_its_result_goes_back_with_the_conversation(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    worker.play = tell(Piece(thinking="Look"), Piece(tool_calls=(ToolCall("weather", '{"city":"Bern"}'),)))
    first = await client.responses.create(
        model="tiny", input="Weather?", tools=[WEATHER], tool_choice="required", parallel_tool_calls=False
    )
    call = first.output[-1]
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.name, call.arguments) == ("weather", '{"city":"Bern"}')
    prompt = prompt_of(worker)
    assert (prompt.forced_tools, prompt.one_tool_call) == (("weather",), True)
    worker.play = say("Sunny")
    second = await client.responses.create(
        model="tiny",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sun"}],
        tools=[WEATHER],
    )
    assert second.output_text == "Sunny"
    calls = (ToolCall("weather", '{"city":"Bern"}', call.call_id),)
    assert prompt_of(worker).messages == (
        Message("user", "Weather?"),
        Message("assistant", "", thinking="Look", tool_calls=calls),
        Message("tool", "sun", tool_name="weather", tool_call_id=call.call_id),
    )


@pytest.mark.parametrize("streams", [False, True])
async def test_a_conversation_goes_on_from_any_of_its_responses(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, streams: bool
) -> None:
    async def respond(text: str, previous: str | None) -> str:
        if not streams:
            return (await client.responses.create(model="tiny", input=text, previous_response_id=previous)).id
        async with client.responses.stream(model="tiny", input=text, previous_response_id=previous) as stream:
            return (await stream.get_final_response()).id

    first = await respond("one", None)
    second = await respond("two", first)
    await respond("three", second)
    turn = [("user", "one"), ("assistant", "Hello"), ("user", "two"), ("assistant", "Hello"), ("user", "three")]
    assert said(prompt_of(worker)) == turn
    await respond("other", first)
    assert said(prompt_of(worker)) == [*turn[:2], ("user", "other")]


async def test_instructions_do_not_carry_over(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    first = await client.responses.create(model="tiny", input="one", instructions="Be brief.")
    await client.responses.create(model="tiny", input="two", previous_response_id=first.id, instructions="Rhyme.")
    assert said(prompt_of(worker))[0] == ("system", "Rhyme.")
    assert ("system", "Be brief.") not in said(prompt_of(worker))


async def test_items_of_other_responses_can_be_referred_to(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    first = await client.responses.create(model="tiny", input="one")
    item_id = first.output[0].id
    assert item_id is not None
    await client.responses.create(
        model="tiny", input=[{"role": "user", "content": "a"}, {"type": "item_reference", "id": item_id}]
    )
    assert said(prompt_of(worker)) == [("user", "a"), ("assistant", "Hello")]
    with pytest.raises(openai.BadRequestError, match=r"Item with id 'msg_x' not found\."):
        await client.responses.create(model="tiny", input=[{"type": "item_reference", "id": "msg_x"}])


async def test_a_kept_response_is_shown_listed_and_deleted(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    first = await client.responses.create(model="tiny", input="one")
    second = await client.responses.create(model="tiny", input="two", previous_response_id=first.id)
    assert await client.responses.retrieve(second.id) == second
    listed = await client.responses.input_items.list(second.id, order="asc", limit=2)
    assert (len(listed.data), listed.has_more) == (2, True)
    everything = [item async for item in client.responses.input_items.list(second.id, limit=1)]
    assert [item.type for item in everything] == ["message"] * 3
    assert [item.id for item in everything][1] == first.output[0].id
    await client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError, match=rf"Response with id '{second.id}' not found\."):
        await client.responses.retrieve(second.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete(second.id)


async def test_a_conversation_without_one_of_its_parts_does_not_go_on(
    client: openai.AsyncOpenAI, worker: ScriptedWorker
) -> None:
    first = await client.responses.create(model="tiny", input="one")
    second = await client.responses.create(model="tiny", input="two", previous_response_id=first.id)
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match=rf"Previous response with id '{first.id}' not found\."):
        await client.responses.create(model="tiny", input="three", previous_response_id=second.id)


async def test_what_is_not_to_be_stored_is_not(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis
) -> None:
    response = await client.responses.create(model="tiny", input="one", store=False)
    assert response.model_extra is not None
    assert response.model_extra["store"] is False
    assert await redis.keys(keys.response("*", "*")) == []
    with pytest.raises(openai.NotFoundError, match=rf"Previous response with id '{response.id}' not found\."):
        await client.responses.create(model="tiny", input="two", previous_response_id=response.id)


@pytest.mark.parametrize("streams", [False, True])
async def test_a_response_too_large_to_be_kept_says_so(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis, streams: bool
) -> None:
    large = "x" * 60_000
    if streams:
        async with client.responses.stream(model="tiny", input=large) as stream:
            response: Response = await stream.get_final_response()
    else:
        response = await client.responses.create(model="tiny", input=large)
    assert response.output_text == "Hello"
    assert response.model_extra is not None
    assert response.model_extra["store"] is False
    assert await redis.keys(keys.response("*", "*")) == []


async def test_going_on_renews_the_life_of_the_whole_conversation(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis
) -> None:
    first = await client.responses.create(model="tiny", input="one")
    key = keys.response("local", first.id)
    await redis.expire(key, 10)
    second = await client.responses.create(model="tiny", input="two", previous_response_id=first.id)
    assert 86_000 < await redis.ttl(key) <= 86_400
    assert 86_000 < await redis.ttl(keys.response("local", second.id)) <= 86_400


async def test_nobody_sees_the_responses_of_another(
    gateway_url: str, worker: ScriptedWorker, redis: Redis, client: openai.AsyncOpenAI
) -> None:
    store = KeyStore(redis, SystemClock())
    _, mine = await store.create("mine", Role.USER)
    _, other = await store.create("other", Role.USER)
    response = await client.with_options(api_key=mine).responses.create(model="tiny", input="secret")
    stranger = client.with_options(api_key=other)
    for attempt in (
        stranger.responses.create(model="tiny", input="what?", previous_response_id=response.id),
        stranger.responses.create(
            model="tiny", input=[{"type": "item_reference", "id": str(response.output[0].id)}], store=False
        ),
        stranger.responses.retrieve(response.id),
        stranger.responses.delete(response.id),
    ):
        with pytest.raises((openai.NotFoundError, openai.BadRequestError), match="not found"):
            await attempt
    assert (await client.with_options(api_key=mine).responses.retrieve(response.id)).output_text == "Hello"


async def test_a_failure_after_the_first_byte_is_told_in_the_stream_and_nothing_is_kept(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, redis: Redis
) -> None:
    async def breaks(stage: Stage) -> None:
        await stage.start()
        await stage.say("Hel")
        await stage.fail(RunnerDied("it was killed"))

    worker.play = breaks
    events = [event async for event in await client.responses.create(model="tiny", input="Hi", stream=True)]
    last = events[-1]
    assert kinds(events)[-2:] == ["error", "failed"]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert "it was killed" in last.response.error.message
    assert last.response.output_text == "Hel"
    assert await redis.keys(keys.response("*", "*")) == []


async def test_a_wait_is_told_by_comments_after_the_first_events(
    redis: Redis, redis_url: str, worker: ScriptedWorker
) -> None:
    await ModelIndex(redis).publish([CAPABLE])
    go_on = asyncio.Event()

    async def slow(stage: Stage) -> None:
        await stage.start()
        await go_on.wait()
        await stage.say("Hello")
        await stage.finish()

    worker.play = slow
    async with (
        serving(settings(redis_url, heartbeat_s=0.05)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        stream = await client.responses.create(model="tiny", input="Hi", stream=True)
        first = await anext(stream)
        assert first.type == "response.created"
        go_on.set()
        events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Hello"


async def test_log_probabilities_come_with_the_text(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    await client.responses.create(model="tiny", input="Hi", include=["message.output_text.logprobs"], top_logprobs=3)
    assert worker.requests[0].sampling.top_logprobs == 3


async def test_truncation_is_as_asked(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    await client.responses.create(model="tiny", input="Hi", truncation="auto")
    assert worker.requests[0].truncate


async def test_what_cannot_be_served_is_refused(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    with pytest.raises(openai.BadRequestError, match="does not support web_search tools yet"):
        await client.responses.create(model="tiny", input="Hi", tools=[{"type": "web_search"}])
    with pytest.raises(openai.BadRequestError, match="does not support background yet"):
        await client.responses.create(model="tiny", input="Hi", background=True)
    with pytest.raises(openai.BadRequestError, match="plain:latest does not support tools"):
        await client.responses.create(model="plain", input="Hi", tools=[WEATHER])
    with pytest.raises(openai.BadRequestError, match='"plain" does not support thinking'):
        await client.responses.create(model="plain", input="Hi", reasoning={"effort": "high"})
    with pytest.raises(openai.BadRequestError, match='"plain" does not support images'):
        await client.responses.create(
            model="plain",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
                    ],
                }
            ],
        )
    with pytest.raises(openai.NotFoundError, match="model 'absent' not found"):
        await client.responses.create(model="absent", input="Hi")
    assert worker.requests == []
