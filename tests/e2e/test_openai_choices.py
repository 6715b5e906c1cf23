"""OpenAI's text completions and several answers to one request, against the whole cluster and a real model."""

import asyncio

import openai
from openai.types.chat import ChatCompletionMessageParam

from harness.cluster import MODEL

ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell me about the sea."}]


async def test_choices_given_together_are_those_given_one_by_one_with_the_seeds_in_a_row(
    sdk: openai.AsyncOpenAI,
) -> None:
    together = await sdk.chat.completions.create(model=MODEL, messages=ASKED, n=3, seed=11, max_tokens=12)
    alone = await asyncio.gather(
        *(
            sdk.chat.completions.create(model=MODEL, messages=ASKED, seed=11 + index, max_tokens=12)
            for index in range(3)
        )
    )
    texts = [choice.message.content for choice in together.choices]
    assert texts == [one.choices[0].message.content for one in alone]
    assert len(set(texts)) == 3
    assert together.usage is not None
    assert alone[0].usage is not None
    assert together.usage.completion_tokens == 36
    assert together.usage.prompt_tokens == alone[0].usage.prompt_tokens


async def test_a_completion_of_text_is_ollamas_generate_and_one_of_tokens_goes_on_from_them(
    sdk: openai.AsyncOpenAI,
) -> None:
    prompts = ["Name a river.", "Name a sea."]
    texts = await sdk.completions.create(model=MODEL, prompt=prompts, max_tokens=6, temperature=0, echo=True)
    assert [one.text[: len(prompt)] for one, prompt in zip(texts.choices, prompts, strict=True)] == prompts
    assert texts.usage is not None
    assert texts.usage.completion_tokens == 12
    tokens = await sdk.completions.create(model=MODEL, prompt=[[504, 3575], [504]], max_tokens=4, temperature=0)
    assert tokens.usage is not None
    assert (tokens.usage.prompt_tokens, tokens.usage.completion_tokens) == (3, 8)


async def test_a_completion_streams_what_it_gives_at_once(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.completions.create(model=MODEL, prompt="Why is the sky blue?", max_tokens=12, temperature=0)
    stream = await sdk.completions.create(
        model=MODEL, prompt="Why is the sky blue?", max_tokens=12, temperature=0, stream=True
    )
    assert "".join([chunk.choices[0].text async for chunk in stream]) == whole.choices[0].text


async def test_the_log_probabilities_of_a_completion_belong_to_its_text(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.completions.create(
        model=MODEL, prompt="Why is the sky blue?", max_tokens=8, temperature=0, logprobs=2
    )
    (choice,) = reply.choices
    told = choice.logprobs
    assert told is not None
    assert told.tokens is not None
    assert told.top_logprobs is not None
    assert "".join(told.tokens) == choice.text
    assert told.text_offset == [len("".join(told.tokens[:index])) for index in range(8)]
    for token, logprob, top in zip(told.tokens, told.token_logprobs or (), told.top_logprobs, strict=True):
        assert max(top, key=lambda one: top[one]) == token
        assert top[token] == logprob
