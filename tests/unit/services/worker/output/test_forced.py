"""The schema of forced calls, judged by an independent validator."""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from services.worker.output.forced import schema_of_calls
from services.worker.output.tools import Tools

NODE: dict[str, object] = {
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "integer"}}}},
    "properties": {"root": {"$ref": "#/$defs/Node"}, "mode": {"enum": ["$ref", {"$ref": "#/nowhere"}]}},
    "required": ["root"],
}


def tool(name: str, parameters: Mapping[str, object] | None = None) -> dict[str, object]:
    function: dict[str, object] = {"name": name}
    return {"type": "function", "function": function | ({} if parameters is None else {"parameters": parameters})}


TOOLS = Tools(
    [
        tool("walk", NODE),
        tool("stop"),
        tool("wait", {"type": "object", "properties": {}}),
        tool("say", {"properties": {"words": {"type": "string"}}}),
        tool("any", {"type": "object", "additionalProperties": {"type": "integer"}}),
    ]
)
SCHEMA: dict[str, Any] = json.loads(schema_of_calls(TOOLS.names, TOOLS))


@pytest.mark.parametrize(
    "call",
    [
        {"name": "walk", "arguments": {"root": {"n": 1, "next": {"n": 2}}}},
        {"name": "walk", "arguments": {"root": {}, "mode": {"$ref": "#/nowhere"}}},
        {"name": "stop", "arguments": {}},
        {"name": "wait", "arguments": {}},
        {"name": "say", "arguments": {"words": "hi"}},
        {"name": "any", "arguments": {"a": 1}},
    ],
)
def test_a_call_that_fits_its_tool_fits(call: object) -> None:
    jsonschema.validate(call, SCHEMA)


@pytest.mark.parametrize(
    "call",
    [
        {"name": "walk", "arguments": {"root": {"n": "1"}}},
        {"name": "walk", "arguments": {"root": {"next": {"next": {"n": "x"}}}}},
        {"name": "walk", "arguments": {}},
        {"name": "stop", "arguments": {"a": 1}},
        {"name": "stop", "arguments": []},
        {"name": "say", "arguments": {"words": 1}},
        {"name": "say", "arguments": {"more": 1}},
        {"name": "any", "arguments": {"a": "1"}},
        {"name": "nobody", "arguments": {}},
        {"name": "stop"},
        {"name": "stop", "arguments": {}, "more": 1},
    ],
)
def test_any_other_does_not(call: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(call, SCHEMA)


def test_the_name_comes_first() -> None:
    assert [list(option["properties"]) for option in SCHEMA["anyOf"]] == [["name", "arguments"]] * 5


def test_an_answer_with_a_schema_of_its_own_may_stand_in_for_a_call() -> None:
    answer = {"$defs": {"A": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/A"}}
    schema = json.loads(schema_of_calls(("stop",), TOOLS, answer=json.dumps(answer)))
    jsonschema.validate([1, 2], schema)
    jsonschema.validate({"name": "stop", "arguments": {}}, schema)
    for wrong in (["1"], {"name": "walk", "arguments": {}}, {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
