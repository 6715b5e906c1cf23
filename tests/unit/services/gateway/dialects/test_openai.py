"""Reading OpenAI's chat requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.conversation import Conversation
from services.gateway.dialects.openai import OpenAiCall, parse_chat
from shared.errors import ParameterInvalid
from shared.generation import Message, Sampling, Think


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


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
SHOWN: dict[str, object] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


def test_tools_and_their_choice_reach_the_conversation() -> None:
    call = parsed(tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    assert call.conversation == Conversation(
        messages=(Message("user", "a"),), tools=(SHOWN,), forced_tools=("f",), one_tool_call=True
    )
    assert not call.calls_functions


def test_tools_that_may_not_be_called_are_not_shown() -> None:
    call = parsed(tools=[TOOL], tool_choice="none")
    assert (call.conversation.tools, call.asked) == ((), Asked())


@pytest.mark.parametrize(("choice", "forced"), [(None, ()), ("auto", ()), ({"name": "f"}, ("f",))])
def test_functions_are_tools_of_which_one_is_called(choice: object, forced: tuple[str, ...]) -> None:
    call = parsed(functions=[{"name": "f"}], function_call=choice)
    assert call.calls_functions
    assert call.conversation == Conversation(
        messages=(Message("user", "a"),), tools=(SHOWN,), forced_tools=forced, one_tool_call=True
    )


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, None),
        ({"reasoning_effort": None}, None),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "medium"}, "medium"),
        ({"reasoning_effort": "xhigh"}, "max"),
        ({"reasoning_effort": "ultra"}, "max"),
        ({"reasoning_effort": "none", "reasoning": {"effort": "high"}}, "high"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, False),
        ({"chat_template_kwargs": {"thinking": True}}, True),
        ({"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}, "low"),
    ],
)
def test_an_effort_says_how_hard_to_think(fields: dict[str, Any], think: Think) -> None:
    call = parsed(**fields)
    assert (call.conversation.think, call.asked.thinking) == (think, bool(think))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"tools": [TOOL]}, Asked(tools=True)),
        ({"tools": []}, Asked()),
        ({"messages": [{"role": "tool", "content": "a"}]}, Asked(tools=True)),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, Asked(images=True)),
        ({"messages": [{"role": "user", "content": [SOUND]}]}, Asked(audio=True)),
        ({"response_format": {"type": "text"}, "n": 2, "logit_bias": {"5": 1}}, Asked()),
        ({"modalities": ["text"], "audio": None}, Asked()),
        ({"modalities": ["text", "audio"]}, Asked(unserved=("audio",))),
        ({"web_search_options": {}}, Asked(unserved=("web_search_options",))),
        ({"chat_template_kwargs": {"x": 1}}, Asked(unserved=("chat_template_kwargs.x",))),
    ],
)
def test_features_are_noted_and_never_dropped(fields: dict[str, Any], asked: Asked) -> None:
    assert parsed(**fields).asked == asked


def test_notes_for_openais_records_change_nothing() -> None:
    notes = {
        "user": "u", "metadata": {"a": "b"}, "safety_identifier": "s", "store": True, "service_tier": "flex",
        "prompt_cache_key": "k", "prediction": {"type": "content", "content": "c"}, "verbosity": "low",
    }  # fmt: skip
    assert parsed(**notes) == parsed()


def test_options_that_local_servers_know_are_honoured_and_openais_own_come_first() -> None:
    call = parsed(
        options={"num_ctx": 512, "temperature": 0.1, "top_k": 1, "stop": None},
        top_k=5,
        min_p=0.1,
        repetition_penalty=1.2,
        keep_alive="5m",
    )
    assert call.options == {
        "num_ctx": 512, "temperature": 0.1, "top_p": 1.0, "top_k": 5, "min_p": 0.1, "repeat_penalty": 1.2
    }  # fmt: skip
    assert call.keep_alive_s == 300.0


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
        (
            {"reasoning_effort": "huge"},
            (
                'invalid reasoning value: "huge" (must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max", '
                'or "none")'
            ),
        ),
        (
            {"tools": [TOOL], "functions": [{"name": "f"}]},
            "functions is the older form of tools: a request has one of them",
        ),
        ({"function_call": {"name": "f"}}, 'tool_choice names "f", which is not among the tools'),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs must be between 0 and 20"),
        ({"top_logprobs": 1}, "top_logprobs needs logprobs to be true"),
        ({"logit_bias": {"a": 1}}, 'invalid logit_bias: "a" is not a token id'),
        ({"logit_bias": {"-1": 1}}, 'invalid logit_bias: "-1" is not a token id'),
        ({"logit_bias": {"9" * 10: 1}}, 'invalid logit_bias: "9999999999" is not a token id'),
        ({"logit_bias": {"1": 101}}, "invalid logit_bias: values must be numbers from -100 to 100"),
        ({"logit_bias": {"1": True}}, "invalid logit_bias: values must be numbers from -100 to 100"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parsed(**fields)
    assert refused.value.message == error
