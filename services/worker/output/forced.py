"""The JSON schema of an answer that must be a call of one of some tools, or may be one. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.worker.output.tools import Tools

_OPEN: Final = ("additionalProperties", "patternProperties", "$ref", "anyOf", "oneOf", "allOf")
_REFERENCES: Final = ("$ref", "$dynamicRef")
_INSTANCES: Final = frozenset({"const", "enum", "default", "examples"})


def schema_of_calls(names: Sequence[str], tools: Tools, *, answer: str | None = None) -> str:
    """`{"name": …, "arguments": {…}}`, the arguments as the tool of that name wants them; or else what the JSON schema
    `answer` says.
    """
    schemas = {f"tool{index}": _arguments(name, tools) for index, name in enumerate(names)}
    options: list[dict[str, object]] = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "arguments": _reference(place)},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for name, place in zip(names, schemas, strict=True)
    ]
    definitions = {place: _rooted(schema, place) for place, schema in schemas.items()}
    if answer is not None:
        definitions["answer"] = _rooted(msgspec.json.decode(answer), "answer")
        options.append(_reference("answer"))
    return msgspec.json.encode({"$defs": definitions, "anyOf": options}).decode()


def _reference(place: str) -> dict[str, object]:
    return {"$ref": f"#/$defs/{place}"}


def _arguments(name: str, tools: Tools) -> Mapping[str, object]:
    """The schema of a tool's arguments, always an object. No more than it declares, unless it says that more may come:
    a model that may make names up does.
    """
    schema = tools.schema(name)
    if any(key in schema for key in _OPEN):
        return {"type": "object", **schema}
    return {"type": "object", "properties": {}, "additionalProperties": False, **schema}


def _rooted(schema: object, place: str) -> object:
    """`schema` with its references to itself turned to where it stands now."""
    match schema:
        case Mapping():
            return {
                key: f"#/$defs/{place}{value[1:]}"
                if key in _REFERENCES and isinstance(value, str) and value.startswith("#")
                else value
                if key in _INSTANCES
                else _rooted(value, place)
                for key, value in schema.items()
            }
        case list() | tuple():
            return [_rooted(item, place) for item in schema]
    return schema
