"""Structured output, log-probabilities and biases as the official clients ask for them, on a real model."""

import json
import math
from typing import Any, Literal

import jsonschema
import ollama
import openai
import pydantic
import pytest

from harness.cluster import MODEL

QUESTION: Any = [{"role": "user", "content": "Describe a cat as JSON."}]
GREEDY = {"temperature": 0, "num_predict": 200}


class Cat(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str = pydantic.Field(max_length=20)
    age: int = pydantic.Field(ge=0, le=30)
    colour: Literal["black", "white", "grey"]


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_ollamas_format_gives_what_the_schema_says(client: ollama.Client, temperature: float) -> None:
    options = {**GREEDY, "temperature": temperature, "seed": 3}
    schema = Cat.model_json_schema()
    whole = client.chat(MODEL, QUESTION, format=schema, options=options)
    Cat.model_validate_json(whole.message.content or "")
    assert whole.done_reason == "stop"
    pieces = client.chat(MODEL, QUESTION, format=schema, options=options, stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content


def test_ollamas_json_mode_gives_an_object(client: ollama.Client) -> None:
    reply = client.generate(MODEL, "A cat, as short JSON:", format="json", options={**GREEDY, "num_predict": 400})
    if reply.done_reason == "stop":
        assert isinstance(json.loads(reply.response or ""), dict)
    else:
        assert (reply.response or "").startswith("{")


def test_a_schema_that_cannot_be_enforced_is_a_400_before_any_output(client: ollama.Client) -> None:
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError) as refused:
            list(client.chat(MODEL, QUESTION, format={"not": {"type": "string"}}, stream=stream))
        assert refused.value.status_code == 400
        assert '"not"' in refused.value.error


def test_num_predict_cuts_an_object_short(client: ollama.Client) -> None:
    reply = client.chat(MODEL, QUESTION, format=Cat.model_json_schema(), options={**GREEDY, "num_predict": 5})
    assert reply.done_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.message.content or "")


async def test_openais_parse_gives_an_object_of_the_class(sdk: openai.AsyncOpenAI) -> None:
    completion = await sdk.chat.completions.parse(
        model=MODEL,
        messages=QUESTION,
        response_format=Cat,
        temperature=0,
        max_tokens=200,
    )
    assert isinstance(completion.choices[0].message.parsed, Cat)


async def test_openais_json_object_and_a_bad_schema(sdk: openai.AsyncOpenAI) -> None:
    schema: Any = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    schema["additionalProperties"] = False
    completion = await sdk.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
        max_tokens=100,
    )
    jsonschema.validate(json.loads(completion.choices[0].message.content or ""), schema)
    with pytest.raises(openai.BadRequestError, match="uniqueItems"):
        await sdk.chat.completions.create(
            model=MODEL,
            messages=QUESTION,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "array", "uniqueItems": True}},
            },
        )


def test_ollamas_log_probabilities_tell_the_text_again(client: ollama.Client) -> None:
    options = {"temperature": 0, "num_predict": 12}
    whole = client.chat(MODEL, QUESTION, options=options, logprobs=True, top_logprobs=3)
    assert whole.logprobs is not None
    assert "".join(one.token for one in whole.logprobs) == whole.message.content
    for one in whole.logprobs:
        assert one.top_logprobs is not None
        assert len(one.top_logprobs) == 3
        assert one.top_logprobs[0].token == one.token  # greedy
        assert one.logprob == one.top_logprobs[0].logprob
        assert 0 < sum(math.exp(top.logprob) for top in one.top_logprobs) <= 1.0001
    pieces = client.chat(MODEL, QUESTION, options=options, logprobs=True, top_logprobs=3, stream=True)
    assert [one for piece in pieces for one in piece.logprobs or []] == whole.logprobs


async def test_openais_log_probabilities_and_biases(sdk: openai.AsyncOpenAI) -> None:
    completion = await sdk.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        temperature=0,
        max_tokens=4,
        logprobs=True,
        top_logprobs=2,
        logit_bias={"253": 100},
    )
    choice = completion.choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert len(choice.logprobs.content) == 4
    # The bias decides what is said; the log-probabilities are the model's own.
    assert len({one.token for one in choice.logprobs.content}) == 1
    assert choice.logprobs.content[0].token != choice.logprobs.content[0].top_logprobs[0].token
