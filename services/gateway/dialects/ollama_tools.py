"""Tools and calls of tools in Ollama's requests: their Go types, and the errors Go has for anything else. Pure.

A tool keeps all keywords of its schema, of which Ollama drops most. A call's `index` must be a number and says
nothing: calls have their places in the list.
Source: Ollama `api/types.go` (Tool, ToolProperty, ToolCall).
"""

from collections.abc import Mapping
from typing import Final, cast

from services.gateway.dialects.schemas import json_text
from shared.errors import ParameterInvalid
from shared.generation import ToolCall
from shared.go_json import GoFields, go_kind

NOT_AN_OBJECT: Final = "Value looks like object, but can't find closing '}' symbol"
"""What Ollama's ordered maps say of any other JSON value."""
_NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}


def tools_of(fields: GoFields) -> tuple[dict[str, object], ...]:
    """The request's `tools`, complete enough for any template.

    Raises: ParameterInvalid.
    """
    items = fields.items("tools", "api.Tools") or []
    return tuple(_tool(GoFields("ChatRequest", {"tools": item}).mapping("tools", "api.Tool") or {}) for item in items)


def tool_call_of(values: Mapping[str, object]) -> ToolCall:
    """Raises: ParameterInvalid; arguments are an object here, unlike in OpenAI's API."""
    call = GoFields("ToolCall.tool_calls", values)
    function = GoFields("ToolCallFunction.tool_calls.function", call.mapping("function", "api.ToolCallFunction") or {})
    function.integer("index")
    arguments = json_text(_object(function.anything("arguments")), what="the call of a tool")
    return ToolCall(function.text("name"), arguments, call.text("id"))


def _tool(values: Mapping[str, object]) -> dict[str, object]:
    tool = GoFields("Tool.tools", values)
    function_values = tool.mapping("function", "api.ToolFunction") or {}
    function = GoFields("ToolFunction.tools.function", function_values)
    parameters = function.mapping("parameters", "api.ToolFunctionParameters") or _NO_PARAMETERS
    _check_parameters(parameters)
    said: dict[str, object] = {"name": function.text("name")}
    if description := function.text("description"):
        said["description"] = description
    said["parameters"] = parameters
    more = {key: value for key, value in function_values.items() if key.lower() not in ("description", *said)}
    beside = {key: value for key, value in values.items() if key.lower() not in ("type", "function")}
    return {"type": tool.text("type") or "function", "function": said | more, **beside}


def _check_parameters(values: Mapping[str, object]) -> None:
    """Raises: ParameterInvalid."""
    fields = GoFields("ToolFunctionParameters.tools.function.parameters", values)
    fields.text("type")
    fields.texts("required")
    _check_properties(fields)


def _check_properties(fields: GoFields) -> None:
    for value in _object(fields.anything("properties")).values():
        _check_property(value)


def _check_property(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise _wrong_value(value, "api.ToolProperty")
    fields = GoFields("ToolProperty", value)
    fields.text("description")
    fields.items("enum")
    fields.texts("required")
    for one in fields.items("anyof", "[]api.ToolProperty") or []:
        _check_property(one)
    _check_type(fields.anything("type"))
    _check_properties(fields)


def _check_type(value: object) -> None:
    """A property's type is a name or a list of names."""
    if value is None or isinstance(value, str):
        return
    if not isinstance(value, list):
        raise _wrong_value(value, "[]string")
    for name in value:
        if name is not None and not isinstance(name, str):
            raise _wrong_value(name, "string")


def _object(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParameterInvalid(NOT_AN_OBJECT)
    return cast("dict[str, object]", value)


def _wrong_value(value: object, go_type: str) -> ParameterInvalid:
    return ParameterInvalid(f"json: cannot unmarshal {go_kind(value)} into Go value of type {go_type}")
