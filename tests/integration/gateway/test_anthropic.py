"""The official Anthropic client, unchanged, against a served gateway, and what it sees when something goes wrong."""

from collections.abc import AsyncIterator

import aiohttp
import anthropic
import pytest
from anthropic.types import MessageParam
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, Stage, say
from integration.gateway.setup import TINY, serving, settings, until_no_job_is_left
from shared.errors import RunnerDied
from shared.generation import ChatPrompt, DoneReason, Message
from shared.model_index import ModelIndex
from shared.settings import Secret

HELLO: list[MessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hel", "lo")).running() as worker:
        yield worker


@pytest.fixture
async def client(gateway_url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gateway_url, api_key="anything", max_retries=0) as client:
        yield client


async def test_a_message_is_answered_at_once(client: anthropic.AsyncAnthropic, worker: ScriptedWorker) -> None:
    message = await client.messages.create(
        model="tiny",
        max_tokens=9,
        system=[{"type": "text", "text": "Be brief."}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        metadata={"user_id": "u"},
        extra_body={"temperature": 0.5, "top_k": 3},
    )
    assert [block.type == "text" and block.text for block in message.content] == ["Hello"]
    assert (message.role, message.model, message.stop_reason, message.stop_sequence) == (
        "assistant",
        "tiny",
        "end_turn",
        None,
    )
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)
    assert message._request_id is not None
    assert message.id.removeprefix("msg_") == message._request_id.removeprefix("req_")
    job = worker.requests[0]
    assert isinstance(job.prompt, ChatPrompt)
    assert job.prompt.messages == (Message("system", "Be brief."), Message("user", "Hi"))
    assert (job.options.num_predict, job.options.temperature, job.options.top_k) == (9, 0.5, 3)


async def test_a_stream_adds_up_to_the_message(client: anthropic.AsyncAnthropic, worker: ScriptedWorker) -> None:
    async with client.messages.stream(model="tiny", max_tokens=9, messages=HELLO) as stream:
        texts = [text async for text in stream.text_stream]
        message = await stream.get_final_message()
    assert texts == ["Hel", "lo"]
    assert [block.type == "text" and block.text for block in message.content] == ["Hello"]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)


async def test_the_stop_sequence_that_ended_a_message_is_named(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("one ")
        await stage.finish(stop_string="two")

    stops = ["six", "two"]
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running() as worker:
        whole = await client.messages.create(model="tiny", max_tokens=9, messages=HELLO, stop_sequences=stops)
        async with client.messages.stream(model="tiny", max_tokens=9, messages=HELLO, stop_sequences=stops) as stream:
            streamed = await stream.get_final_message()
    for message in (whole, streamed):
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "two")
    assert worker.requests[0].options.stop == ("six", "two")


async def test_a_message_cut_by_its_limit_says_so(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("a", reason=DoneReason.LENGTH)).running():
        message = await client.messages.create(model="tiny", max_tokens=1, messages=HELLO)
    assert message.stop_reason == "max_tokens"


async def test_tokens_are_counted_by_a_worker_and_none_is_generated(
    client: anthropic.AsyncAnthropic, redis: Redis, worker: ScriptedWorker
) -> None:
    count = await client.messages.count_tokens(model="tiny", system="Be brief.", messages=HELLO)
    assert count.input_tokens == 7
    assert [(job.count_only, job.truncate) for job in worker.requests] == [(True, False)]
    await until_no_job_is_left(redis)


async def test_an_error_in_mid_stream_is_raised(client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.say("a")
        await stage.fail(RunnerDied("it crashed"))

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        with pytest.raises(anthropic.APIStatusError, match="it crashed"):
            async with client.messages.stream(model="tiny", max_tokens=9, messages=HELLO) as stream:
                await stream.get_final_message()


async def test_a_worker_that_fails_before_any_text_is_an_error_with_a_status(
    client: anthropic.AsyncAnthropic, redis: Redis, redis_url: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.start()
        await stage.fail(RunnerDied("it crashed"))

    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=play).running():
        with pytest.raises(anthropic.InternalServerError):
            await client.messages.create(model="tiny", max_tokens=9, messages=HELLO, stream=True)
        with pytest.raises(anthropic.InternalServerError):
            await client.messages.count_tokens(model="tiny", messages=HELLO)


@pytest.mark.parametrize(
    ("fields", "status", "kind", "text"),
    [
        ({}, 400, "invalid_request_error", "model is required"),
        ({"model": "absent"}, 404, "not_found_error", "model 'absent' not found"),
        ({"max_tokens": None}, 400, "invalid_request_error", "max_tokens is required and must be positive"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
            400,
            "invalid_request_error",
            "invalid image source type: url. Only base64 images are supported.",
        ),
        (
            {"tools": [{"name": "t"}]},
            400,
            "invalid_request_error",
            "registry.ollama.ai/library/tiny:latest does not support tools",
        ),
        ({"container": "c"}, 400, "invalid_request_error", "this server does not support container yet"),
    ],
)
async def test_an_error_has_anthropics_envelope(
    gateway_url: str, http: aiohttp.ClientSession, fields: dict[str, object], status: int, kind: str, text: str
) -> None:
    body = {"model": "tiny", "max_tokens": 5, "messages": HELLO, **fields} if fields else {}
    async with http.post(f"{gateway_url}/v1/messages", json=body) as response:
        assert response.status == status
        request_id = response.headers["request-id"]
        assert request_id.startswith("req_")
        assert await response.json() == {
            "type": "error",
            "error": {"type": kind, "message": text},
            "request_id": request_id,
        }


async def test_a_key_opens_in_either_header_and_none_is_refused(redis: Redis, redis_url: str) -> None:
    await ModelIndex(redis).publish([TINY])
    locked = settings(redis_url, require_keys=True, admin_key=Secret("bootstrap-secret"))
    async with (
        serving(locked) as url,
        ScriptedWorker(redis, redis_url, WEIGHTS, play=say("ok")).running(),
        anthropic.AsyncAnthropic(base_url=url, api_key="bootstrap-secret", max_retries=0) as by_key,
        anthropic.AsyncAnthropic(base_url=url, auth_token="bootstrap-secret", max_retries=0) as by_token,
        anthropic.AsyncAnthropic(base_url=url, api_key="wrong", max_retries=0) as stranger,
    ):
        for client in (by_key, by_token):
            assert (await client.messages.create(model="tiny", max_tokens=1, messages=HELLO)).content
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="tiny", max_tokens=1, messages=HELLO)
