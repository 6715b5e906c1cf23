"""The list of models through OpenAI's and Anthropic's own clients."""

import anthropic
import openai
import pytest


async def test_each_client_gets_the_list_in_its_own_words(gateway_url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything") as client:
        assert {model.id for model in (await client.models.list()).data} == {"tiny:latest", "embedder:latest"}
        assert (await client.models.retrieve("tiny")).object == "model"
    async with anthropic.AsyncAnthropic(base_url=gateway_url, api_key="anything") as client_of_anthropic:
        listed = [model async for model in client_of_anthropic.models.list(limit=1)]
        assert {model.id for model in listed} == {"tiny:latest", "embedder:latest"}
        assert (await client_of_anthropic.models.retrieve("tiny")).display_name == "tiny:latest"


async def test_a_model_that_is_not_there_is_missed_in_each_dialect(gateway_url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="anything", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("absent")
    async with anthropic.AsyncAnthropic(base_url=gateway_url, api_key="anything", max_retries=0) as other:
        with pytest.raises(anthropic.NotFoundError):
            await other.models.retrieve("absent")
