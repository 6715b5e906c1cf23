"""A value that a model wrote as bare text, as JSON of the type that the tool's schema asks for. Pure.

Source: Ollama `model/parsers/qwen3coder.go`: of several possible types the narrowest that fits.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from services.worker.output.json_text import compact, string_text
from services.worker.output.tools import Unreadable

_INTEGER: Final = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_UNIONS: Final = ("anyOf", "oneOf", "allOf")


def typed_text(text: str, schema: Mapping[str, object] | None) -> str:
    """`text` as JSON: a string unless `schema` names another type that it fits.

    A schema without a type (a reference, an enumeration) takes lists and objects as what they are.
    """
    if schema is None:
        return string_text(text)
    types = set(_types(schema))
    bare = text.strip()
    if bare.lower() == "null" and types != {"string"}:
        return "null"
    if "boolean" in types and bare.lower() in ("true", "false"):
        return bare.lower()
    if ("integer" in types and _INTEGER.fullmatch(bare)) or ("number" in types and _NUMBER.fullmatch(bare)):
        return bare
    for name, bracket in (("array", "["), ("object", "{")):
        if (name in types or not types) and bare.startswith(bracket) and (value := _json(bare)):
            return value
    return string_text(text)


def _types(schema: Mapping[str, object]) -> Iterator[str]:
    """The types that a schema names itself, or in its alternatives."""
    named = schema.get("type")
    for name in named if isinstance(named, list) else [named]:
        if isinstance(name, str):
            yield name
    for union in _UNIONS:
        alternatives = schema.get(union)
        for alternative in alternatives if isinstance(alternatives, list) else []:
            if isinstance(alternative, Mapping):
                yield from _types(alternative)


def _json(text: str) -> str:
    """`text` made compact, or nothing if it is no JSON."""
    try:
        return compact(text)
    except (msgspec.DecodeError, Unreadable, RecursionError):
        return ""
