"""What a Go template sees of messages and tools: the fields, types and printed forms Ollama gives them.

Source: Ollama `template/template.go` (templateMessage, templateTool …), `api/types.go` (ToolProperty, PropertyType).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.worker.chat_template.tool_calls import arguments_of
from shared.generation import Message, Think, ToolCall
from shared.go_template.values import JsonList, JsonMap, NilList, Struct, TypeNames

_PROPERTY_KEYS: Final = {
    "AnyOf": "anyOf",
    "Type": "type",
    "Items": "items",
    "Description": "description",
    "Enum": "enum",
    "Properties": "properties",
    "Required": "required",
}


def message_value(message: Message) -> Struct:
    """A message as templates see it. `Images` are as many as there are; their bytes are nothing to print.

    Raises: ParameterInvalid for arguments of a call that are no JSON object.
    """
    calls = [tool_call_value(call, index) for index, call in enumerate(message.tool_calls)]
    return _struct(
        "template.templateMessage",
        {
            "Role": message.role,
            "Content": message.content,
            "Thinking": message.thinking,
            "Images": [""] * len(message.images) or NilList(),
            "ToolCalls": calls or NilList(),
            "ToolName": message.tool_name,
            "ToolCallID": message.tool_call_id,
        },
    )


def tool_call_value(call: ToolCall, index: int) -> Struct:
    """A call that the model made, `index` being its place among the calls of its message.

    Raises: ParameterInvalid for arguments that are no JSON object.
    """
    function: dict[str, object] = {
        "Index": index,
        "Name": call.name,
        "Arguments": JsonMap(_decoded_members(arguments_of(call))),
    }
    fields = {"ID": call.call_id, "Function": _struct("template.templateToolCallFunction", function)}
    return _struct("template.templateToolCall", fields)


def thinking_values(think: Think) -> dict[str, object]:
    """`.Think`, `.ThinkLevel` and `.IsThinkSet`; plain thinking has the level `medium`.

    Source: Ollama `api/types.go`, ThinkValue.String.
    """
    level = think if isinstance(think, str) else "medium" if think else ""
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}


def tools_value(tools: Sequence[Mapping[str, object]]) -> list[object]:
    """The tools of a request, from the API's `{"type", "function": {"name", "description", "parameters"}}`."""
    return JsonList(_tool(tool) for tool in tools) if tools else NilList()


def _tool(tool: Mapping[str, object]) -> Struct:
    function = _mapping(tool.get("function"))
    parameters = _parameters(_mapping(function.get("parameters")))
    described = {"Name": _text(function.get("name")), "Description": _text(function.get("description"))}
    inner = Struct(
        "template.templateToolFunction",
        {**described, "Parameters": parameters},
        {"name": described["Name"], "description": described["Description"], "parameters": parameters},
    )
    fields: dict[str, object] = {
        "Type": _text(tool.get("type")),
        "Items": _decoded(tool.get("items")),
        "Function": inner,
    }
    return Struct("template.templateTool", fields, _named(fields, omit=("items",)), prints_json=True)


def _parameters(schema: Mapping[str, object]) -> Struct:
    fields: dict[str, object] = {
        "Type": _text(schema.get("type")),
        "Defs": _decoded(schema.get("$defs")),
        "Items": _decoded(schema.get("items")),
        "Required": _texts(schema.get("required")),
        "Properties": JsonMap(_properties(schema)),
    }
    members = _named(fields, omit=("defs", "items", "required"))
    return Struct(
        "template.templateToolFunctionParameters",
        fields,
        {"$defs" if key == "defs" else key: value for key, value in members.items()},
    )


def _properties(schema: Mapping[str, object]) -> dict[str, object]:
    return {name: _property(_mapping(value)) for name, value in _mapping(schema.get("properties")).items()}


def _property(schema: Mapping[str, object]) -> Struct:
    """A tool's parameter. Those within it keep their order in JSON, and empty members are left out."""
    within = _properties(schema)
    fields: dict[str, object] = {
        "AnyOf": [_property(_mapping(item)) for item in _items(schema.get("anyOf"))],
        "Type": _type_names(schema.get("type")),
        "Items": _decoded(schema.get("items")),
        "Description": _text(schema.get("description")),
        "Enum": [_decoded(item) for item in _items(schema.get("enum"))],
        "Properties": Struct("api.ToolPropertiesMap", within, within, prints_json=True) if within else None,
        "Required": _texts(schema.get("required")),
    }
    return Struct("api.ToolProperty", fields, {_PROPERTY_KEYS[name]: value for name, value in fields.items() if value})


def _struct(type_name: str, fields: Mapping[str, object]) -> Struct:
    """A struct whose JSON has its fields' own names."""
    return Struct(type_name, fields, fields)


def _named(fields: Mapping[str, object], *, omit: tuple[str, ...]) -> dict[str, object]:
    """The JSON members of fields, with small initials; of those in `omit`, empty ones are left out."""
    members = {name.lower(): value for name, value in fields.items()}
    return {name: value for name, value in members.items() if value or name not in omit}


def _type_names(value: object) -> TypeNames:
    return TypeNames([value] if isinstance(value, str) else [item for item in _items(value) if isinstance(item, str)])


def _decoded(value: object) -> object:
    """Any JSON value as Go decodes it: every number is a float64."""
    match value:
        case int() if not isinstance(value, bool):
            return float(value)
        case Mapping():
            return _decoded_members(value)
        case list() | tuple():
            return [_decoded(item) for item in value]
    return value


def _decoded_members(value: Mapping[str, object]) -> dict[str, object]:
    return {key: _decoded(item) for key, item in value.items()}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _texts(value: object) -> list[str]:
    return [item for item in _items(value) if isinstance(item, str)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
