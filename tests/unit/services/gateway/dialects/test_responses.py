"""Reading requests of `/v1/responses`."""

import json
from typing import Any

import pytest

from services.gateway.capabilities import Asked
from services.gateway.dialects.responses import ResponsesCall, asked_of, conversation_of, parse
from shared.errors import ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, Message, Sampling, Think

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
DEFINITION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}


def parsed(**fields: Any) -> ResponsesCall:
    return parse(json.dumps({"model": "m", "input": "a", **fields}).encode())


def test_the_defaults_are_openais_where_ollama_has_no_others() -> None:
    call = parsed()
    assert (call.stream, call.keep, call.truncate, call.asked) == (False, True, False, Asked())
    assert (call.options, call.sampling, call.think) == ({"temperature": 1.0}, Sampling(), None)
    assert conversation_of(call, call.items).messages == (Message("user", "a"),)


def test_instructions_come_first() -> None:
    call = parsed(instructions="Be brief.")
    assert conversation_of(call, call.items).messages == (Message("system", "Be brief."), Message("user", "a"))


def test_options_are_passed_on() -> None:
    call = parsed(max_output_tokens=5, temperature=0, top_p=0.5)
    assert call.options == {"num_predict": 5, "temperature": 0, "top_p": 0.5}


@pytest.mark.parametrize(
    ("effort", "think"), [("none", False), ("minimal", "low"), ("high", "high"), ("xhigh", "max"), ("", None)]
)
def test_effort_is_how_hard_to_think(effort: str, think: Think) -> None:
    call = parsed(reasoning={"effort": effort})
    assert (call.think, call.asked.thinking) == (think, bool(think))


@pytest.mark.parametrize(
    ("wanted", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, ANY_JSON_OBJECT),
        ({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}, '{"type":"object"}'),
    ],
)
def test_a_format_binds_the_output(wanted: dict[str, Any], schema: str | None) -> None:
    call = parsed(text={"format": wanted})
    assert (call.sampling.json_schema, call.repeated["text"]) == (schema, {"format": wanted})


@pytest.mark.parametrize(
    ("fields", "top_logprobs"),
    [
        ({}, None),
        ({"include": ["reasoning.encrypted_content"]}, None),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 20}, 20),
        ({"top_logprobs": 2}, 2),
    ],
)
def test_log_probabilities_are_told_when_either_field_asks(fields: dict[str, Any], top_logprobs: int | None) -> None:
    assert parsed(**fields).sampling.top_logprobs == top_logprobs


def test_tools_are_flat_and_may_be_chosen_among() -> None:
    other = {**TOOL, "name": "other"}
    call = parsed(
        tools=[TOOL, other],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
        parallel_tool_calls=False,
    )
    conversation = conversation_of(call, call.items)
    assert (conversation.tools, conversation.forced_tools) == ((DEFINITION,), ("look",))
    assert conversation.one_tool_call
    assert call.asked.tools
    assert parsed(tools=[TOOL], tool_choice={"type": "function", "name": "look"}).tool_use.forced_tools == ("look",)
    assert not parsed(tools=[TOOL], tool_choice="none").asked.tools


def test_what_was_said_before_counts_for_what_a_model_must_be_able_to() -> None:
    earlier = parsed(input=[CALL, IMAGE]).items
    call = parsed()
    asked = asked_of(call, conversation_of(call, (*earlier, *call.items)))
    assert asked == Asked(tools=True, images=True)
    assert asked_of(call, conversation_of(call, call.items)) == Asked()


@pytest.mark.parametrize(
    ("fields", "unserved"),
    [
        ({"background": True}, ("background",)),
        ({"background": False, "conversation": None}, ()),
        ({"conversation": "conv_1", "prompt": {"id": "p"}}, ("conversation", "prompt")),
        ({"tools": [{"type": "web_search"}, {"type": "mcp"}, {"type": "mcp"}]}, ("web_search tools", "mcp tools")),
        ({"stream_options": {"include_obfuscation": True}}, ("stream_options.include_obfuscation",)),
        ({"stream_options": {"include_obfuscation": False}}, ()),
        ({"user": "u", "service_tier": "flex", "prompt_cache_key": "k", "text": {"verbosity": "low"}}, ()),
    ],
)
def test_what_cannot_be_had_is_named(fields: dict[str, Any], unserved: tuple[str, ...]) -> None:
    assert parsed(**fields).asked.unserved == unserved


def test_a_reply_repeats_the_request() -> None:
    repeated = parsed(
        tools=[TOOL],
        tool_choice="auto",
        metadata={"a": "b"},
        safety_identifier="s",
        reasoning={"effort": "low"},
        truncation="auto",
        previous_response_id="resp_1",
    ).repeated
    assert repeated["tools"] == ({**TOOL, "description": None, "strict": None},)
    assert (repeated["tool_choice"], repeated["truncation"], repeated["metadata"]) == ("auto", "auto", {"a": "b"})
    assert repeated["reasoning"] == {"effort": "low", "summary": None}
    assert (repeated["safety_identifier"], repeated["user"]) == ("s", None)
    assert (repeated["previous_response_id"], repeated["service_tier"]) == ("resp_1", "default")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF"),
        (b'{"model":"m"}', 'one of "input" or "previous_response_id" must be given'),
        (b'{"model":"m","input":5}', "input must be a string or array"),
        (
            b'{"model":5,"input":"a"}',
            "json: cannot unmarshal number into Go struct field ResponsesRequest.model of type string",
        ),
        (b'{"input":"a","max_output_tokens":0}', "max_output_tokens must be at least 1"),
        (b'{"input":"a","truncation":"on"}', 'invalid truncation: "on" (must be "auto" or "disabled")'),
        (b'{"input":"a","top_logprobs":21}', "top_logprobs must be between 0 and 20"),
        (b'{"input":"a","text":{"format":{"type":"json_schema"}}}', "text.format.schema is required"),
        (
            b'{"input":"a","text":{"format":{"type":"xml"}}}',
            'invalid text.format type: "xml" (must be "text", "json_object" or "json_schema")',
        ),
        (b'{"input":"a","tools":[{"type":"function"}]}', "tools[0]: a tool needs a name"),
        (b'{"input":"a","tool_choice":"required"}', "tool_choice needs tools to choose from"),
    ],
)
def test_bad_requests_are_refused_with_the_reason(body: bytes, text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse(body)
    assert refused.value.message == text


def test_an_unknown_include_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match=r'^invalid include: "everything"'):
        parsed(include=["everything"])
