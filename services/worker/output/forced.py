"""The JSON schema of an answer that must be a call of one of some tools. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.worker.output.tools import Tools

_NO_ARGUMENTS: Final = {"type": "object", "properties": {}, "additionalProperties": False}
_REFERENCES: Final = ("$ref", "$dynamicRef")
_INSTANCES: Final = frozenset({"const", "enum", "default", "examples"})


def schema_of_calls(names: Sequence[str], tools: Tools) -> str:
    """`{"name": …, "arguments": {…}}`, the arguments as the tool of that name wants them."""
    definitions = {f"tool{index}": _rooted(_arguments(name, tools), index) for index, name in enumerate(names)}
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "arguments": {"$ref": f"#/$defs/tool{index}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for index, name in enumerate(names)
    ]
    return msgspec.json.encode({"$defs": definitions, "anyOf": calls}).decode()


def _arguments(name: str, tools: Tools) -> Mapping[str, object]:
    """The schema of a tool's arguments, which are an object whatever else it says; none unless it declares some."""
    schema = tools.schema(name)
    if not schema.get("properties") and "$ref" not in schema and "additionalProperties" not in schema:
        return _NO_ARGUMENTS
    return {"type": "object", **schema}


def _rooted(schema: object, index: int) -> object:
    """`schema` with its references to itself turned to where it stands now."""
    match schema:
        case Mapping():
            return {
                key: f"#/$defs/tool{index}{value[1:]}"
                if key in _REFERENCES and isinstance(value, str) and value.startswith("#")
                else value
                if key in _INSTANCES
                else _rooted(value, index)
                for key, value in schema.items()
            }
        case list() | tuple():
            return [_rooted(item, index) for item in schema]
    return schema
