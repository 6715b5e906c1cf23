"""Reading the tools of Ollama's requests."""

from typing import Any

import pytest

from services.gateway.dialects.ollama_tools import tools_of
from shared.errors import ParameterInvalid
from shared.go_json import GoFields

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather",
        "parameters": {
            "type": "object",
            "properties": {"unit": {"type": ["string", "null"]}, "city": {"type": "string", "minLength": 1}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def read(*tools: object) -> tuple[dict[str, object], ...]:
    return tools_of(GoFields("ChatRequest", {"tools": list(tools)}))


def test_a_tool_keeps_its_schema_to_the_last_keyword_and_the_order_of_its_properties() -> None:
    (tool,) = read(WEATHER)
    assert tool == WEATHER
    assert list(tool["function"]["parameters"]["properties"]) == ["unit", "city"]  # type: ignore[index]


def test_a_tool_that_leaves_things_out_gets_what_templates_look_for() -> None:
    nothing = {"type": "object", "properties": {}}
    assert read({"function": {"Name": "now", "strict": True}}, {"type": "function"}, None) == (
        {"type": "function", "function": {"name": "now", "parameters": nothing, "strict": True}},
        {"type": "function", "function": {"name": "", "parameters": nothing}},
        {"type": "function", "function": {"name": "", "parameters": nothing}},
    )


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("f", "cannot unmarshal string into Go struct field Tool.tools.function of type api.ToolFunction"),
        ({"name": 1}, "cannot unmarshal number into Go struct field ToolFunction.tools.function.name of type string"),
        (
            {"description": []},
            "cannot unmarshal array into Go struct field ToolFunction.tools.function.description of type string",
        ),
        ({"parameters": {"properties": []}}, "Value looks like object, but can't find closing '}' symbol"),
        ({"parameters": {"properties": {"a": 1}}}, "cannot unmarshal number into Go value of type api.ToolProperty"),
        ({"parameters": {"properties": {"a": {"type": 1}}}}, "cannot unmarshal number into Go value of type []string"),
        (
            {"parameters": {"properties": {"a": {"type": ["string", 1]}}}},
            "cannot unmarshal number into Go value of type string",
        ),
        (
            {"parameters": {"properties": {"a": {"anyOf": [{"description": []}]}}}},
            "cannot unmarshal array into Go struct field ToolProperty.description of type string",
        ),
    ],
)
def test_a_tool_of_other_types_is_refused_in_gos_words(function: object, error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read({"type": "function", "function": function})
    assert refused.value.message.removeprefix("json: ") == error
