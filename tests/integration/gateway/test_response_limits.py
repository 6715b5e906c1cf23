"""How much may be said in a conversation of OpenAI's responses, whatever it is put together from."""

from collections.abc import AsyncIterator

import openai
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, say
from integration.gateway.setup import TINY, serving, settings
from services.gateway.conversation import MESSAGES_MAX
from shared.model_index import ModelIndex


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello")).running() as worker:
        yield worker


async def test_what_is_referred_to_counts_towards_the_size_and_length_of_a_conversation(
    redis: Redis, redis_url: str, worker: ScriptedWorker
) -> None:
    await ModelIndex(redis).publish([TINY])
    body_bytes_max = 40 * MESSAGES_MAX
    async with (
        serving(settings(redis_url, body_bytes_max=body_bytes_max)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client,
    ):
        first = await client.responses.create(model="tiny", input="a" * (body_bytes_max // 2))
        long = f"msg_{first.id.removeprefix('resp_')}_in0"
        await client.responses.create(model="tiny", input=[{"type": "item_reference", "id": long}])
        with pytest.raises(openai.APIStatusError, match=f"more than the {body_bytes_max} bytes") as refused:
            await client.responses.create(model="tiny", input=[{"type": "item_reference", "id": long}] * 2)
        assert refused.value.status_code == 413
        with pytest.raises(openai.BadRequestError, match=f"at most {MESSAGES_MAX} are accepted"):
            await client.responses.create(
                model="tiny",
                input=[{"role": "user", "content": ""}] * (MESSAGES_MAX - 1),
                previous_response_id=(await client.responses.create(model="tiny", input="b")).id,
            )
