"""Values inside Go templates: truth, printing, comparing, JSON. Python's str, int, float, bool, list and dict stand for
Go's; `Struct` for a Go struct, whose fields are fixed; None for nil and for what is missing.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.errors import ParameterInvalid

NO_VALUE: Final = "<no value>"
_HTML_IN_JSON: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: asking for a field it lacks is an error, not a missing value. `json` is its JSON form."""

    type_name: str
    fields: Mapping[str, object]
    json: Mapping[str, object]


def is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def truth(value: object) -> bool:
    """Go's idea of a true value: not false, 0, nil, or empty."""
    return True if isinstance(value, Struct) else bool(value)


def kind(value: object) -> str:
    """The word for a value's kind in error messages, and what decides which values compare."""
    match value:
        case None:
            return "nil"
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
            return "map"
        case _ if is_list(value):
            return "list"
    raise AssertionError(f"a {type(value).__name__} is no template value")


def text_of(value: object) -> str:
    """The value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float_text(value)
        case str():
            return value
        case Struct(fields=fields):
            return "{" + " ".join(text_of(item) for item in fields.values()) + "}"
        case dict():
            return "map[" + " ".join(f"{text_of(key)}:{text_of(value[key])}" for key in sorted(value)) + "]"
        case list() | tuple():
            return "[" + " ".join(text_of(item) for item in value) + "]"
    raise AssertionError(f"a {type(value).__name__} is no template value")


def printed(value: object) -> str:
    """What `{{ value }}` prints: as `%v`, but nothing is a missing value."""
    return NO_VALUE if value is None else text_of(value)


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    exact = Decimal(repr(value)).normalize()
    exponent = exact.adjusted()
    if value and not -4 <= exponent < 21:
        return f"{exact.scaleb(-exponent):f}e{exponent:+03d}"
    return f"{exact:f}"


def json_of(value: object) -> str:
    """Compact JSON with sorted keys and HTML's special characters escaped, as `json.Marshal` writes it."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).translate(_HTML_IN_JSON)


def _plain(value: object) -> object:
    match value:
        case Struct(json=members):
            return {key: _plain(member) for key, member in members.items()}
        case dict():
            return {key: _plain(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            raise ParameterInvalid("template: json: unsupported value")
        case float() if value.is_integer() and abs(value) < 1e21:
            return int(value)
    return value


def equal(left: object, right: object) -> bool:
    """Raises: ParameterInvalid for values of different kinds, unless one of them is nil."""
    if left is None or right is None:
        return left is right
    if kind(left) != kind(right):
        raise ParameterInvalid("template: incompatible types for comparison")
    if not isinstance(left, bool | int | float | str):
        raise ParameterInvalid(f"template: non-comparable type {kind(left)}")
    return left == right


def less(left: object, right: object) -> bool:
    """Raises: ParameterInvalid unless both are numbers of one kind, or strings."""
    if isinstance(left, str) and isinstance(right, str):
        return left.encode(errors="replace") < right.encode(errors="replace")
    for type_ in (int, float):
        if isinstance(left, type_) and isinstance(right, type_) and not isinstance(left, bool | str):
            if isinstance(right, bool):
                break
            return left < right
    raise ParameterInvalid("template: invalid type for comparison")


def length(value: object) -> int:
    """Raises: ParameterInvalid for what has no length. Units: bytes for a string."""
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise ParameterInvalid(f"template: len of {'nil' if value is None else 'type ' + kind(value)}")
