"""OpenAI's responses, against the whole cluster and a real model."""

import openai
import pydantic
import pytest

from harness.cluster import MODEL


class Reply(pydantic.BaseModel):
    capital: str
    is_in_europe: bool


async def test_a_kept_conversation_is_to_the_model_what_all_its_messages_are(sdk: openai.AsyncOpenAI) -> None:
    first = await sdk.responses.create(model=MODEL, input="Name a river.", temperature=0, max_output_tokens=6)
    async with sdk.responses.stream(
        model=MODEL, input="And a sea?", previous_response_id=first.id, temperature=0, max_output_tokens=64
    ) as stream:
        last = [event async for event in stream][-1]
    assert last.type in ("response.completed", "response.incomplete")
    explicit = await sdk.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": "Name a river."},
            {"role": "assistant", "content": first.output_text},
            {"role": "user", "content": "And a sea?"},
        ],
        temperature=0,
        max_tokens=1,
    )
    assert first.status == "incomplete"
    assert last.response.usage is not None
    assert explicit.usage is not None
    assert last.response.usage.input_tokens == explicit.usage.prompt_tokens
    assert (await sdk.responses.retrieve(last.response.id)).output_text == last.response.output_text


async def test_a_stream_of_structured_output_is_parsed_by_the_client(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.responses.stream(
        model=MODEL, input="What is the capital of France?", text_format=Reply, temperature=0, max_output_tokens=100
    ) as stream:
        final = await stream.get_final_response()
    assert isinstance(final.output_parsed, Reply)


async def test_a_conversation_that_does_not_fit_is_refused_unless_it_may_be_cut(sdk: openai.AsyncOpenAI) -> None:
    most_of_the_context = "word " * 600
    first = await sdk.responses.create(model=MODEL, input=most_of_the_context, max_output_tokens=4)
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        await sdk.responses.create(
            model=MODEL, input=most_of_the_context, previous_response_id=first.id, max_output_tokens=4
        )
    cut = await sdk.responses.create(
        model=MODEL,
        input=most_of_the_context,
        previous_response_id=first.id,
        truncation="auto",
        max_output_tokens=4,
    )
    assert cut.model_extra is not None
    assert cut.model_extra["dropped_messages_count"] == 1
