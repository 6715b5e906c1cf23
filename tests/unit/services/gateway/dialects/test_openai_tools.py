"""Tools in OpenAI's requests, in the forms of chat and of responses."""

from typing import Any

import pytest

from services.gateway.dialects.openai_tools import (
    ToolUse,
    arguments_text,
    earlier_call,
    tool_definition,
    tool_definitions,
    tool_use,
)
from shared.errors import ParameterInvalid
from shared.generation import ToolCall


def tool(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


TOOLS = (tool("a"), tool("b"))


def test_a_tool_is_written_as_ollama_writes_it_and_its_schema_keeps_its_order() -> None:
    parameters = {"required": ["z"], "properties": {"z": {"type": "string"}, "a": {"enum": [1]}}, "type": "object"}
    function = {"strict": True, "parameters": parameters, "description": "d", "name": "f"}
    expected = {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters}}
    (nested,) = tool_definitions([{"type": "function", "function": function}])
    (flat,) = tool_definitions([{"type": "function", **function}])
    assert nested == flat == tool_definition(function) == expected
    assert repr(nested) == repr(expected)


def test_a_tool_without_parameters_takes_none() -> None:
    assert tool_definition({"name": "a", "description": None, "parameters": None}) == tool("a")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"type": "custom", "custom": {"name": "x"}}, 'invalid tool type: "custom" (only "function" is supported)'),
        ({"type": "function", "function": {}}, "a tool needs a name"),
        (
            {"type": "function", "function": {"name": "x", "parameters": []}},
            "json: cannot unmarshal array into Go struct field ToolFunction.parameters of type map[string]interface {}",
        ),
    ],
)
def test_a_tool_that_cannot_be_called_is_refused(given: dict[str, object], error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        tool_definitions([given])
    assert refused.value.message == error


@pytest.mark.parametrize(
    ("choice", "used"),
    [
        (None, ToolUse(tools=TOOLS)),
        ("auto", ToolUse(tools=TOOLS)),
        ("none", ToolUse()),
        ("required", ToolUse(tools=TOOLS, forced_tools=("a", "b"))),
        ({"type": "function", "function": {"name": "b"}}, ToolUse(tools=TOOLS, forced_tools=("b",))),
        ({"type": "function", "name": "b"}, ToolUse(tools=TOOLS, forced_tools=("b",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("b")]}},
            ToolUse(tools=(tool("b"),)),
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]},
            ToolUse(tools=(tool("b"),), forced_tools=("b",)),
        ),
    ],
)
def test_a_choice_shows_and_forces_what_it_says(choice: object, used: ToolUse) -> None:
    assert tool_use(TOOLS, choice) == used


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_only_one_call_may_be_allowed(choice: str) -> None:
    assert tool_use(TOOLS, choice, one_tool_call=True).one_tool_call


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_choice_that_asks_for_nothing_needs_no_tools(choice: str | None) -> None:
    assert tool_use((), choice) == ToolUse()


BAD_CHOICE = 'invalid tool_choice (must be "none", "auto", "required", a function, or a list of allowed functions)'


@pytest.mark.parametrize(
    ("tools", "choice", "error"),
    [
        ((), "required", "tool_choice needs tools to choose from"),
        (TOOLS, {"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice needs tools to choose from"),
        (TOOLS, {"type": "function", "name": "c"}, 'tool_choice names "c", which is not among the tools'),
        ((), {"type": "function", "name": "c"}, 'tool_choice names "c", which is not among the tools'),
        (
            TOOLS,
            {"type": "allowed_tools", "tools": [{"name": "a"}]},
            'invalid tool_choice mode: "" (must be "auto" or "required")',
        ),
        (TOOLS, "sometimes", BAD_CHOICE),
        (TOOLS, {"type": "custom"}, BAD_CHOICE),
        (TOOLS, 1, BAD_CHOICE),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(tools: Any, choice: object, error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        tool_use(tools, choice)
    assert refused.value.message == error


def test_an_earlier_call_keeps_its_arguments_as_they_were_written() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{ "b":1, "a":[2]}'}}
    assert earlier_call(call) == ToolCall("f", '{ "b":1, "a":[2]}', "c1")


@pytest.mark.parametrize("arguments", ["", " \n"])
def test_no_arguments_at_all_are_an_empty_object(arguments: str) -> None:
    assert arguments_text(arguments) == "{}"


@pytest.mark.parametrize("arguments", ["[]", "1", "null", '{"a":', "{'a': 1}", '{"a":1} x', "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        arguments_text(arguments)
    assert refused.value.message == "invalid tool call arguments"


def test_many_allowed_tools_are_not_compared_with_one_another() -> None:
    compared = 0

    class Name(str):
        """A name that knows how often it was compared."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    count = 200
    tools = tuple(tool(Name(f"t{number}")) for number in range(count))
    allowed = [tool(Name(f"t{number}")) for number in range(count)]
    used = tool_use(tools, {"type": "allowed_tools", "mode": "auto", "tools": allowed})
    assert len(used.tools) == count
    assert compared < 10 * count
