"""Tools in Anthropic's requests."""

from typing import Any

import pytest

from services.gateway.dialects.anthropic_tools import ToolUse, call_id_of, tool_use, tool_use_id
from shared.errors import ParameterInvalid
from shared.generation import ToolCall
from shared.go_json import GoFields

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}, "required": ["b"]}
ADD: dict[str, Any] = {"name": "add", "description": "Adds.", "input_schema": SCHEMA, "strict": True}
TELL: dict[str, Any] = {"name": "tell", "type": "custom"}


def read(choice: dict[str, Any] | None = None, *tools: dict[str, Any]) -> ToolUse:
    return tool_use(GoFields("MessagesRequest", {"tools": list(tools), "tool_choice": choice}))


def test_a_tool_is_a_function_with_its_schema_in_order() -> None:
    added, told = read(None, ADD, TELL).tools
    assert added == {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA}}
    assert str(added["function"]).index("'b'") < str(added["function"]).index("'a'")
    assert told["function"] == {"name": "tell", "parameters": {"type": "object", "properties": {}}}


def test_examples_of_a_tools_input_are_part_of_its_description() -> None:
    (tool,) = read(None, {**ADD, "input_examples": [{"b": "ä"}, {"b": "2"}]}).tools
    function = tool["function"]
    assert isinstance(function, dict)
    assert function["description"] == 'Adds.\nExamples of its input:\n{"b":"ä"}\n{"b":"2"}'


@pytest.mark.parametrize(
    ("choice", "tools_count", "forced", "one"),
    [
        (None, 2, (), False),
        ({"type": "auto"}, 2, (), False),
        ({"type": "auto", "disable_parallel_tool_use": True}, 2, (), True),
        ({"type": "any"}, 2, ("add", "tell"), False),
        ({"type": "any", "disable_parallel_tool_use": True}, 2, ("add", "tell"), True),
        ({"type": "tool", "name": "tell"}, 2, ("tell",), False),
        ({"type": "none"}, 0, (), False),
    ],
)
def test_a_choice_says_what_may_and_what_must_be_called(
    choice: dict[str, Any] | None, tools_count: int, forced: tuple[str, ...], one: bool
) -> None:
    used = read(choice, ADD, TELL)
    assert (len(used.tools), used.forced_tools, used.one_tool_call) == (tools_count, forced, one)


@pytest.mark.parametrize(
    ("tools", "choice", "problem"),
    [
        ([{"type": "web_search_20250305", "name": "web_search"}], None, "tools of the type web_search_20250305"),
        ([{"type": "bash_20250124", "name": "bash"}], None, "tools of the type bash_20250124"),
        ([ADD, {"description": "Nameless."}], None, r"tools\.1\.name is required"),
        ([ADD, ADD], None, "tool names must be unique"),
        ([{**ADD, "defer_loading": True}], None, "cannot search for tools"),
        ([{**ADD, "allowed_callers": ["code_execution_20250825"]}], None, "runs no code"),
        ([], {"type": "any"}, "tool_choice needs tools to choose from"),
        ([ADD], {"type": "tool", "name": "tell"}, 'tool_choice names "tell", which is not among the tools'),
        ([ADD], {"type": "some"}, r"tool_choice\.type must be one of auto, any, tool, none"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tools: list[dict[str, Any]], choice: dict[str, Any] | None, problem: str
) -> None:
    with pytest.raises(ParameterInvalid, match=problem):
        read(choice, *tools)


def test_an_id_is_the_models_own_in_anthropics_clothes() -> None:
    call = ToolCall("f", "{}", "call_1")
    assert tool_use_id(call, request_id="r", index=0) == "toolu_call_1"
    assert call_id_of("toolu_call_1") == "call_1"


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    ids = {tool_use_id(ToolCall("f", "{}"), request_id=request, index=index) for request in "ab" for index in range(3)}
    assert len(ids) == 6
