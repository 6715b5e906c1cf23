"""The part of a tool's JSON schema that can bind an output. Pure.

Nobody asked for strictness about arguments: what the grammar compiler does not know, or would refuse, is left out here.
Source: llguidance `docs/json_schema.md`, for the keywords and formats that it enforces.
"""

import re
from collections.abc import Mapping
from typing import Final

_NUMBER: Final = (int, float)
_SCHEMA: Final = (Mapping, bool)
_KEYWORDS: Final[dict[str, tuple[type, ...]]] = {
    "$ref": (str,),
    **dict.fromkeys(("$defs", "definitions", "properties", "patternProperties"), (Mapping,)),
    **dict.fromkeys(("items", "additionalProperties"), _SCHEMA),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "enum", "required"), (list,)),
    "type": (str, list),
    "const": (object,),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), (int,)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(("pattern", "format"), (str,)),
}
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)
_BEYOND_GRAMMARS: Final = re.compile(r"\(\?(?!:)|\\[1-9bB]")
"""Looking around, flags and references back, in a pattern."""

NAMED: Final = frozenset({"$defs", "definitions", "properties", "patternProperties"})
"""The keywords whose keys are names."""


def enforced(schema: Mapping[str, object]) -> Mapping[str, object]:
    """`schema` with the keywords alone that an output can be held to."""
    return _enforced(schema, schema)


def _enforced(schema: Mapping[str, object], root: Mapping[str, object]) -> dict[str, object]:
    kept = {key: _value(key, value, root) for key, value in schema.items() if _is_known(key, value, root)}
    required = kept.get("required")
    if isinstance(required, list) and kept.get("additionalProperties") is False and "patternProperties" not in kept:
        declared = kept.get("properties")
        kept["required"] = [name for name in required if isinstance(declared, Mapping) and name in declared]
    return kept


def _is_known(key: str, value: object, root: Mapping[str, object]) -> bool:
    types = _KEYWORDS.get(key, ())
    if not isinstance(value, types) or (isinstance(value, bool) and types in ((int,), _NUMBER)):
        return False
    match key, value:
        case "format", _:
            return value in _FORMATS
        case "pattern", str():
            return _BEYOND_GRAMMARS.search(value) is None
        case "$ref", str():
            return _leads_somewhere(value, root)
    return True


def _leads_somewhere(reference: str, root: Mapping[str, object]) -> bool:
    here: object = root
    start, *path = reference.split("/")
    if start != "#" or (path and path[0] not in NAMED):
        return False
    for name in path:
        if not isinstance(here, Mapping) or name not in here:
            return False
        here = here[name]
    return True


def _value(key: str, value: object, root: Mapping[str, object]) -> object:
    if key in ("const", "enum"):
        return value
    if key in NAMED and isinstance(value, Mapping):
        return {name: _inner(schema, root) for name, schema in value.items()}
    if isinstance(value, list):
        return [_inner(item, root) for item in value]
    return _inner(value, root)


def _inner(value: object, root: Mapping[str, object]) -> object:
    return _enforced(value, root) if isinstance(value, Mapping) else value
