"""`/v1/audio/transcriptions` through OpenAI's own client."""

from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker, say
from shared.generation import ChatPrompt
from shared.model_index import ModelIndex

EARS = model_entry("ears", capabilities=("completion", "audio"))
RECORDING = ("hello.wav", b"RIFF....WAVE")


@pytest.fixture
async def client(gateway_url: str, redis: Redis) -> AsyncIterator[openai.AsyncOpenAI]:
    await ModelIndex(redis).publish([EARS, model_entry("deaf", weights=EARS.weights)])
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything", max_retries=0) as client:
        yield client


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Good ", "morning.")).running() as worker:
        yield worker


async def test_a_recording_is_written_down(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    whole = await client.audio.transcriptions.create(model="ears", file=RECORDING)
    assert whole.text == "Good morning."
    assert await client.audio.transcriptions.create(model="ears", file=RECORDING, response_format="text") == (
        "Good morning."
    )
    stream = await client.audio.transcriptions.create(model="ears", file=RECORDING, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    for request in worker.requests:
        assert isinstance(request.prompt, ChatPrompt)
        assert request.prompt.messages[-1].images == (RECORDING[1],)


async def test_a_model_that_cannot_hear_and_a_form_that_is_none_are_refused(
    client: openai.AsyncOpenAI, worker: ScriptedWorker, gateway_url: str, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(openai.BadRequestError, match='"deaf" does not support audio'):
        await client.audio.transcriptions.create(model="deaf", file=RECORDING)
    async with http.post(f"{gateway_url}/v1/audio/transcriptions", json={"model": "ears"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"].startswith("failed to parse multipart form: ")
    body, headers = b"--x\r\nnonsense", {"Content-Type": "multipart/form-data; boundary=x"}
    async with http.post(f"{gateway_url}/v1/audio/transcriptions", data=body, headers=headers) as answer:
        assert answer.status == 400


async def test_a_recording_has_a_largest_size(client: openai.AsyncOpenAI, worker: ScriptedWorker) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        await client.audio.transcriptions.create(model="ears", file=("long.wav", bytes(26 << 20)))
    assert refused.value.status_code == 413
