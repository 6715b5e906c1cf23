"""Reading Anthropic's message requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.anthropic import AnthropicCall, parse_count, parse_messages
from shared.errors import ParameterInvalid
from shared.generation import Message

USER: dict[str, Any] = {"role": "user", "content": "a"}
BASE: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [USER]}


def parsed(**fields: Any) -> AnthropicCall:
    return parse_messages(json.dumps({**BASE, **fields}).encode())


def blocks(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(items)}]


def test_nothing_is_forced_that_was_not_asked_for() -> None:
    call = parsed(metadata={"user_id": "u"}, service_tier="auto")
    assert (call.stream, call.options, call.asked) == (False, {"num_predict": 5}, Asked())


def test_options_have_their_names_here() -> None:
    call = parsed(temperature=0.5, top_p=0.9, top_k=3, stop_sequences=["END"], stream=True)
    assert call.options == {"num_predict": 5, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop": ("END",)}
    assert (call.stop_sequences, call.stream) == (("END",), True)


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]])
def test_the_system_prompt_is_the_first_message(system: object) -> None:
    assert parsed(system=system).messages == (Message("system", "Be brief."), Message("user", "a"))


def test_text_blocks_of_a_message_are_one_text() -> None:
    cached = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    assert parsed(messages=blocks(cached, {"type": "text", "text": "b"})).messages == (Message("user", "ab"),)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"tools": [{"name": "t", "input_schema": {}}]}, Asked(tools=True)),
        ({"messages": blocks({"type": "tool_result", "tool_use_id": "x"})}, Asked(tools=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Asked(thinking=True)),
        ({"thinking": {"type": "disabled"}}, Asked()),
        ({"thinking": {"type": "adaptive"}}, Asked()),
        ({"messages": blocks({"type": "thinking", "thinking": "hm"})}, Asked(thinking=True)),
        ({"messages": blocks({"type": "image", "source": {}})}, Asked(images=True)),
        ({"messages": blocks({"type": "document", "source": {}})}, Asked(unserved=("document blocks",))),
        ({"output_config": {"effort": "low"}, "mcp_servers": [{}]}, Asked(unserved=("mcp_servers", "output_config"))),
        ({"mcp_servers": []}, Asked()),
    ],
)
def test_what_goes_beyond_text_is_asked_for(fields: dict[str, Any], asked: Asked) -> None:
    assert parsed(**fields).asked == asked


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "", "max_tokens": 0}, "model is required"),
        ({"max_tokens": 0, "messages": []}, "max_tokens is required and must be positive"),
        ({"max_tokens": None}, "max_tokens is required and must be positive"),
        ({"messages": []}, "messages is required"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role must be user or assistant"),
        ({"messages": [USER, {"role": "user"}]}, "messages.1.content must be a string or a list of content blocks"),
        ({"messages": blocks({"type": "hologram"})}, "messages.0.content.0.type is unknown: hologram"),
        (
            {"messages": blocks({"type": "text"})},
            "messages.0.content.0 must be a content block with a type, a text block with its text",
        ),
        ({"system": 1}, "system must be a string or a list of content blocks"),
        ({"tool_choice": {"type": "any"}}, "tool_choice needs tools to choose from"),
        ({"thinking": {"type": "maybe"}}, "thinking.type must be one of enabled, disabled, adaptive"),
        (
            {"top_k": "3"},
            "json: cannot unmarshal string into Go struct field MessagesRequest.top_k of type int",
        ),
    ],
)
def test_a_request_that_cannot_be_understood_says_why(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parsed(**fields)
    assert refused.value.message == text


def test_a_count_needs_no_output_limit() -> None:
    call = parse_count(json.dumps({"model": "m", "system": "s", "messages": [USER]}).encode())
    assert call.messages == (Message("system", "s"), Message("user", "a"))
    assert (call.options, call.stream) == ({}, False)
    with pytest.raises(ParameterInvalid, match="model is required"):
        parse_count(b"{}")
