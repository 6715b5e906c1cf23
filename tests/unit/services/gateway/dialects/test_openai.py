"""Reading OpenAI's chat requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.openai import OpenAiCall, parse_chat
from shared.errors import ParameterInvalid
from shared.generation import Message


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
        ({"n": 2, "logit_bias": {"5": 1}, "functions": [{}]}, Asked(unserved=("n", "logit_bias", "functions"))),
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
