"""Reading Anthropic's message requests."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.anthropic import AnthropicCall, parse_count, parse_messages
from shared.errors import ParameterInvalid
from shared.generation import PLAIN_SAMPLING, Message, Think

USER: dict[str, Any] = {"role": "user", "content": "a"}
BASE: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [USER]}
TOOL: dict[str, Any] = {"name": "t", "input_schema": {"type": "object"}}
CLEAR_THINKING: dict[str, Any] = {"type": "clear_thinking_20251015"}


def parsed(**fields: Any) -> AnthropicCall:
    return parse_messages(json.dumps({**BASE, **fields}).encode())


def blocks(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(items)}]


def test_nothing_is_forced_that_was_not_asked_for() -> None:
    call = parsed(metadata={"user_id": "u"}, service_tier="auto", speed="standard", cache_control={"type": "ephemeral"})
    assert (call.stream, call.options, call.asked) == (False, {"num_predict": 5}, Asked())
    assert (call.conversation.think, call.sampling, call.shows_thinking) == (None, PLAIN_SAMPLING, True)


def test_options_have_their_names_here() -> None:
    call = parsed(temperature=0.5, top_p=0.9, top_k=3, stop_sequences=["END"], stream=True)
    assert call.options == {"num_predict": 5, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop": ("END",)}
    assert (call.stop_sequences, call.stream) == (("END",), True)


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]])
def test_the_system_prompt_is_the_first_message(system: object) -> None:
    assert parsed(system=system).conversation.messages == (Message("system", "Be brief."), Message("user", "a"))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"tools": [TOOL]}, Asked(tools=True)),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, Asked()),
        ({"messages": blocks({"type": "tool_result", "tool_use_id": "x"})}, Asked(tools=True)),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "x", "name": "t"}]}, USER]},
            Asked(tools=True),
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Asked()),
        ({"messages": blocks({"type": "image", "source": {"type": "base64", "data": "AAAA"}})}, Asked(images=True)),
        ({"mcp_servers": [{}], "container": "c"}, Asked(unserved=("container", "mcp_servers"))),
        ({"mcp_servers": []}, Asked()),
        ({"speed": "fast"}, Asked(unserved=("speed",))),
        ({"context_management": {"edits": [{**CLEAR_THINKING, "keep": "all"}]}}, Asked()),
        ({"context_management": {"edits": [{**CLEAR_THINKING, "keep": {"type": "all"}}]}}, Asked()),
        ({"context_management": {"edits": [CLEAR_THINKING]}}, Asked(unserved=("context_management",))),
    ],
)
def test_what_goes_beyond_text_is_asked_for(fields: dict[str, Any], asked: Asked) -> None:
    assert parsed(**fields).asked == asked


@pytest.mark.parametrize("fields", [{"output_config": {"format": {}}}, {"output_format": {}}])
def test_a_schema_binds_the_answer_and_keeps_its_order(fields: dict[str, dict[str, Any]]) -> None:
    given = {"type": "json_schema", "schema": {"type": "object", "properties": {"b": {}, "a": {}}}}
    (name, value), *_ = fields.items()
    call = parsed(**{name: {"format": given} if value else given})
    assert call.sampling.json_schema == '{"type":"object","properties":{"b":{},"a":{}}}'


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled"}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "xhigh"}}, "high"),
        ({"output_config": {"effort": None}}, None),
        ({"thinking": {"type": "enabled"}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, "medium"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
    ],
)
def test_thinking_is_a_matter_of_type_and_effort(fields: dict[str, Any], think: Think) -> None:
    assert parsed(**fields).conversation.think == think


@pytest.mark.parametrize(("display", "shown"), [(None, True), ("summarized", True), ("omitted", False)])
def test_thoughts_are_shown_unless_they_are_to_be_left_out(display: str | None, shown: bool) -> None:
    assert parsed(thinking={"type": "adaptive", "display": display}).shows_thinking is shown


PREFILL = "this server does not continue an assistant's message (prefill): the conversation must end with a user's"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "", "max_tokens": 0}, "model is required"),
        ({"max_tokens": 0, "messages": []}, "max_tokens is required and must be positive"),
        ({"max_tokens": None}, "max_tokens is required and must be positive"),
        ({"messages": []}, "messages is required"),
        ({"messages": [USER, {"role": "assistant", "content": "The answer is ("}]}, PREFILL),
        ({"system": 1}, "system must be a string or a list of content blocks"),
        ({"thinking": {"type": "maybe"}}, "thinking.type must be one of enabled, disabled, adaptive"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1023}},
            "thinking.budget_tokens must be at least 1024",
        ),
        (
            {"thinking": {"type": "enabled", "display": "loud"}},
            "thinking.display must be one of summarized, omitted",
        ),
        (
            {"output_config": {"effort": "huge"}},
            "output_config.effort must be one of low, medium, high, xhigh, max",
        ),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type must be json_schema"),
        ({"output_format": {"type": "json_schema"}}, "output_config.format.schema is required"),
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


def test_a_count_is_of_all_that_a_model_reads_and_needs_no_output_limit() -> None:
    body = {"model": "m", "system": "s", "messages": [USER], "tools": [TOOL], "thinking": {"type": "disabled"}}
    call = parse_count(json.dumps(body).encode())
    assert call.conversation.messages == (Message("system", "s"), Message("user", "a"))
    assert (len(call.conversation.tools), call.conversation.think) == (1, False)
    assert (call.options, call.stream) == ({}, False)
    with pytest.raises(ParameterInvalid, match="model is required"):
        parse_count(b"{}")
