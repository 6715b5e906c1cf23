"""Values inside Go templates: truth, printing, comparing, JSON.

Python's str, int, float, bool, list and dict stand for Go's; `Struct` for a Go struct, whose fields are fixed; None
for nil and for what is missing. Text may hold bytes that are no UTF-8 (`quoting`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.errors import TemplateFailed
from shared.go_template.quoting import to_bytes

NO_VALUE: Final = "<no value>"
NESTING_MAX: Final = 100
"""Lists and maps within each other, in what is printed."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: asking for a field it lacks is an error, not a missing value.

    `json` is its JSON form; one that `prints_json` prints so too.
    """

    type_name: str
    fields: Mapping[str, object]
    json: Mapping[str, object]
    prints_json: bool = False


class NilList(list[object]):
    """A list that was never made: as long as an empty one, equal to nil, null in JSON. It has no items."""


class JsonList(list[object]):
    """A list that prints as JSON."""


class JsonMap(dict[str, object]):
    """A map that prints as JSON."""


class TypeNames(list[str]):
    """The types of a tool's parameter: a single one prints, and is written as JSON, like a string."""


def truth(value: object) -> bool:
    """Go's idea of a true value: not false, 0, nil, or empty."""
    return True if isinstance(value, Struct) else bool(value)


def type_name(value: object) -> str:
    """The Go type of a value, for messages and `%T`."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Struct(type_name=name):
            return name
        case dict():
            return "map[string]interface {}"
        case list() | tuple():
            return "[]interface {}"
    raise AssertionError(f"a {type(value).__name__} is no template value")


def text_of(value: object, depth: int = 0) -> str:
    """The value as Go's `%v` prints it.

    Raises: TemplateFailed for a value nested too deeply.
    """
    _check_depth(depth)
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case str():
            return value
        case Struct(prints_json=True) | JsonList() | JsonMap():
            return json_of(value)
        case TypeNames():
            return "".join(value) if len(value) < 2 else f"[{' '.join(value)}]"
        case Struct(fields=fields):
            return "{" + " ".join([text_of(item, depth + 1) for item in fields.values()]) + "}"
        case dict():
            items = [f"{text_of(key)}:{text_of(value[key], depth + 1)}" for key in sorted(value)]
            return "map[" + " ".join(items) + "]"
        case list() | tuple():
            return "[" + " ".join([text_of(item, depth + 1) for item in value]) + "]"
    return str(value)


def printed(value: object) -> str:
    """What `{{ value }}` prints: as `%v`, but nothing is a missing value."""
    return NO_VALUE if value is None else text_of(value)


def float_text(value: float, *, exponent_min: int = 6) -> str:
    """The shortest digits that mean this number, with an exponent if that is `exponent_min` or more, or below -4.

    Source: Go `strconv/ftoa.go`, format g with the shortest precision, which is what `%v` uses: a million is 1e+06.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    exact = Decimal(repr(value)).normalize()
    exponent = exact.adjusted()
    if not -4 <= exponent < exponent_min:
        return f"{exact.scaleb(-exponent):f}e{exponent:+03d}"
    return f"{exact:f}"


_JSON_ESCAPES: Final = {
    **{chr(code): f"\\u{code:04x}" for code in (*range(0x20), 0x2028, 0x2029, *map(ord, "<>&"))},
    "\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_JSON_ESCAPE_TABLE: Final = str.maketrans(_JSON_ESCAPES) | dict.fromkeys(range(0xD800, 0xE000), "\\ufffd")


def json_of(value: object, depth: int = 0) -> str:
    """Compact JSON with sorted keys and HTML's special characters escaped, as `json.Marshal` writes it.

    Raises: TemplateFailed for a value that is nested too deeply or has no JSON.
    """
    _check_depth(depth)
    match value:
        case None | NilList():
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _json_number(value)
        case str():
            return '"' + value.translate(_JSON_ESCAPE_TABLE) + '"'
        case Struct(json=members):
            return _json_object(members, list(members), depth)
        case dict():
            return _json_object(value, sorted(value), depth)
        case TypeNames() if len(value) == 1:
            return json_of(value[0])
        case list() | tuple():
            return "[" + ",".join([json_of(item, depth + 1) for item in value]) + "]"
    return str(value)


def _json_object(members: Mapping[str, object], keys: list[str], depth: int) -> str:
    return "{" + ",".join([f"{json_of(key)}:{json_of(members[key], depth + 1)}" for key in keys]) + "}"


def _json_number(value: float) -> str:
    """Source: Go `encoding/json/encode.go`, floatEncoder: exponents only from 1e21 on and below 1e-6."""
    if not math.isfinite(value):
        raise TemplateFailed(f"json: unsupported value: {float_text(value)}")
    if value and not 1e-6 <= abs(value) < 1e21:
        return float_text(value, exponent_min=-5).replace("e-0", "e-")
    return "-0" if str(value) == "-0.0" else f"{Decimal(repr(value)).normalize():f}"


def _check_depth(depth: int) -> None:
    if depth > NESTING_MAX:
        raise TemplateFailed("a value is nested too deeply to be printed")


def _kind(value: object) -> str:
    """What decides which values compare: Go's basic kinds, and one for all others."""
    return type_name(value) if isinstance(value, bool | int | float | str) else ""


def equal(left: object, right: object) -> bool:
    """Raises: TemplateFailed for values of different kinds, and for those that Go cannot compare."""
    if _kind(left) != _kind(right):
        if left is None or right is None:
            return False
        raise TemplateFailed("incompatible types for comparison")
    if left is None or right is None:
        return _is_nil(left) and _is_nil(right)
    if not _kind(left):
        raise TemplateFailed(
            f"non-comparable types {text_of(left)}: {type_name(left)}, {type_name(right)}: {text_of(right)}"
        )
    return left == right


def _is_nil(value: object) -> bool:
    return value is None or isinstance(value, NilList)


def less(left: object, right: object) -> bool:
    """Raises: TemplateFailed unless both are numbers of one kind, or strings."""
    if not _kind(left) or not _kind(right):
        raise TemplateFailed("invalid type for comparison")
    if _kind(left) != _kind(right):
        raise TemplateFailed("incompatible types for comparison")
    if isinstance(left, str) and isinstance(right, str):
        return to_bytes(left) < to_bytes(right)
    if isinstance(left, bool) or not isinstance(left, int | float) or not isinstance(right, int | float):
        raise TemplateFailed("invalid type for comparison")
    return left < right


def length(value: object) -> int:
    """Raises: TemplateFailed for what has no length. Units: bytes for a string."""
    match value:
        case None:
            raise TemplateFailed("len of nil pointer")
        case str():
            return len(to_bytes(value))
        case dict() | list() | tuple():
            return len(value)
    raise TemplateFailed(f"len of type {type_name(value)}")
