"""The functions Go templates may call: Go's own, and those Ollama adds.

`and` and `or` are the evaluator's, because they stop early.
Source: Go `text/template/funcs.go`; Ollama `template/template.go`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from services.worker.chat_template.budget import Budget
from services.worker.chat_template.go_printf import sprintf
from services.worker.chat_template.go_values import Struct, equal, json_of, length, less, text_of, truth
from shared.errors import ParameterInvalid

SHORT_CIRCUIT: Final = frozenset({"and", "or"})


def call(name: str, arguments: list[object], budget: Budget) -> object:
    """The function's value; text it makes is charged to the budget.

    Raises: ParameterInvalid for a wrong number or kind of arguments.
    """
    function, count_min, count_max = _FUNCTIONS[name]
    if len(arguments) < count_min or (count_max is not None and len(arguments) > count_max):
        raise ParameterInvalid(f"template: wrong number of args for {name}: got {len(arguments)}")
    value = function(*arguments)
    if isinstance(value, str):
        budget.build(len(value))
    return value


def _eq(first: object, *others: object) -> bool:
    return any(equal(first, other) for other in others)


def _ne(left: object, right: object) -> bool:
    return not equal(left, right)


def _le(left: object, right: object) -> bool:
    return less(left, right) or left == right


def _gt(left: object, right: object) -> bool:
    return not _le(left, right)


def _ge(left: object, right: object) -> bool:
    return not less(left, right)


def _not(value: object) -> bool:
    return not truth(value)


def _index(value: object, *indexes: object) -> object:
    """`index x 1 2` is x[1][2]; a key a map lacks gives nothing."""
    for index in indexes:
        if isinstance(value, Mapping):
            value = value.get(index)
        elif isinstance(value, str):
            content = value.encode(errors="replace")
            value = content[_position(index, len(content) - 1)]
        elif isinstance(value, list | tuple):
            value = value[_position(index, len(value) - 1)]
        else:
            raise ParameterInvalid("template: index of what cannot be indexed")
    return value


def _slice(value: object, *bounds: object) -> object:
    """`slice x 1 2` is x[1:2]; strings are cut between bytes."""
    if isinstance(value, str):
        return _cut(value.encode(errors="replace"), bounds).decode(errors="replace")
    if isinstance(value, list | tuple):
        return list(value)[_range(bounds, len(value))]
    raise ParameterInvalid("template: slice of what cannot be sliced")


def _cut(content: bytes, bounds: tuple[object, ...]) -> bytes:
    if len(bounds) > 2:
        raise ParameterInvalid("template: cannot 3-index slice a string")
    return content[_range(bounds, len(content))]


def _range(bounds: tuple[object, ...], size: int) -> slice:
    positions = [_position(bound, size) for bound in bounds]
    if positions != sorted(positions):
        raise ParameterInvalid(f"template: invalid slice indexes: {positions}")
    return slice(positions[0] if positions else 0, positions[1] if len(positions) > 1 else size)


def _position(index: object, last: int) -> int:
    if not isinstance(index, int) or isinstance(index, bool):
        raise ParameterInvalid("template: cannot index with a value that is no integer")
    if not 0 <= index <= last:
        raise ParameterInvalid(f"template: index out of range: {index}")
    return index


def _print(*values: object) -> str:
    """Like Go's Sprint: a space between neighbours of which neither is a string."""
    parts: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            parts.append(" ")
        parts.append(text_of(value))
    return "".join(parts)


def _println(*values: object) -> str:
    return " ".join(text_of(value) for value in values) + "\n"


def _printf(pattern: object, *values: object) -> str:
    if not isinstance(pattern, str):
        raise ParameterInvalid("template: printf needs a string as its first argument")
    return sprintf(pattern, values)


def _current_date(*_ignored: object) -> str:
    return datetime.now(tz=UTC).astimezone().strftime("%Y-%m-%d")


def _yesterday_date(*_ignored: object) -> str:
    return (datetime.now(tz=UTC).astimezone() - timedelta(days=1)).strftime("%Y-%m-%d")


_TYPESCRIPT: Final = {
    "string": "string", "number": "number", "integer": "number", "boolean": "boolean",
    "array": "any[]", "object": "Record<string, any>", "null": "null",
}  # fmt: skip


def _to_typescript_type(tool_property: object) -> str:
    """The TypeScript type of a tool's parameter; `any` for whatever is not one."""
    if not isinstance(tool_property, Struct):
        return "any"
    alternatives = tool_property.fields.get("AnyOf")
    if isinstance(alternatives, list | tuple) and alternatives:
        return " | ".join(_to_typescript_type(item) for item in alternatives)
    types = tool_property.fields.get("Type")
    if not isinstance(types, list | tuple) or not types:
        return "any"
    return " | ".join(_TYPESCRIPT.get(str(item), "any") for item in types)


_FUNCTIONS: Final[dict[str, tuple[Callable[..., object], int, int | None]]] = {
    "not": (_not, 1, 1),
    "eq": (_eq, 2, None),
    "ne": (_ne, 2, 2),
    "lt": (less, 2, 2),
    "le": (_le, 2, 2),
    "gt": (_gt, 2, 2),
    "ge": (_ge, 2, 2),
    "len": (length, 1, 1),
    "index": (_index, 1, None),
    "slice": (_slice, 1, 4),
    "print": (_print, 0, None),
    "printf": (_printf, 1, None),
    "println": (_println, 0, None),
    "json": (json_of, 1, 1),
    "currentDate": (_current_date, 0, None),
    "yesterdayDate": (_yesterday_date, 0, None),
    "toTypeScriptType": (_to_typescript_type, 1, 1),
}
"""Each function with how few and how many arguments it takes."""

NAMES: Final = frozenset(_FUNCTIONS) | SHORT_CIRCUIT
