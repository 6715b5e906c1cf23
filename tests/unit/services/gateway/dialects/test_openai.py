"""Reading OpenAI's chat requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.openai import OpenAiCall, parse_chat
from shared.errors import ParameterInvalid
from shared.generation import Message, Sampling


def parsed(**fields: Any) -> OpenAiCall:
    return parse_chat(json.dumps({"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}).encode())


def test_the_defaults_are_openais() -> None:
    call = parsed()
    assert (call.stream, call.include_usage, call.asked) == (False, False, Asked())
    assert call.options == {"temperature": 1.0, "top_p": 1.0}


@pytest.mark.parametrize(
    ("fields", "num_predict"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
    ],
)
def test_both_names_of_the_output_limit_are_honoured(fields: dict[str, int], num_predict: int) -> None:
    assert parsed(**fields).options["num_predict"] == num_predict


def test_each_part_of_a_message_is_a_message() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parsed(messages=[{"role": "user", "content": parts}]).messages == (
        Message("user", "a"),
        Message("user", "b"),
    )


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"tools": [{}]}, Asked(tools=True)),
        ({"tools": []}, Asked()),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]}, Asked(tools=True)),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, Asked(unserved=("input_audio",))),
        ({"response_format": {"type": "text"}, "n": 1, "logit_bias": {}}, Asked()),
        ({"n": 2, "logit_bias": {"5": 1}, "functions": [{}]}, Asked(unserved=("functions",))),
        ({"reasoning_effort": "none"}, Asked()),
        ({"reasoning_effort": "none", "reasoning": {"effort": "high"}}, Asked(thinking=True)),
    ],
)
def test_features_are_noted_and_never_dropped(fields: dict[str, Any], asked: Asked) -> None:
    assert parsed(**fields).asked == asked


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "invalid message format"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "invalid message format"),
        ({"messages": [{"role": "user", "content": {}}]}, "invalid message content type: map[string]interface {}"),
        (
            {"reasoning_effort": "huge"},
            (
                'invalid reasoning value: "huge" (must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max", '
                'or "none")'
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_ollamas_words(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parsed(**fields)
    assert refused.value.message == error


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({"response_format": {"type": "text"}, "logit_bias": None}, Sampling()),
        ({"response_format": {"type": "json_object"}}, Sampling(json_schema='{"type":"object"}')),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}},
            Sampling(json_schema='{"type":"null"}'),
        ),
        ({"logprobs": True}, Sampling(top_logprobs=0)),
        ({"logprobs": True, "top_logprobs": 20}, Sampling(top_logprobs=20)),
        ({"logit_bias": {"5": 100, "07": -0.5}}, Sampling(logit_bias={5: 100.0, 7: -0.5})),
    ],
)
def test_formats_biases_and_log_probabilities_are_passed_on(fields: dict[str, Any], sampling: Sampling) -> None:
    assert parsed(**fields).sampling == sampling


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema is required"),
        (
            {"response_format": {"type": "xml"}},
            'invalid response_format type: "xml" (must be "text", "json_object" or "json_schema")',
        ),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs must be between 0 and 20"),
        ({"top_logprobs": 1}, "top_logprobs needs logprobs to be true"),
        ({"logit_bias": {"a": 1}}, 'invalid logit_bias: "a" is not a token id'),
        ({"logit_bias": {"-1": 1}}, 'invalid logit_bias: "-1" is not a token id'),
        ({"logit_bias": {"1": 101}}, "invalid logit_bias: values must be numbers from -100 to 100"),
        ({"logit_bias": {"1": True}}, "invalid logit_bias: values must be numbers from -100 to 100"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parsed(**fields)
    assert refused.value.message == error
