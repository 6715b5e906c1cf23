"""The functions Go templates may call: Go's own, and those Ollama adds.

`and` and `or` are the evaluator's, because they stop early.
Source: Go `text/template/funcs.go`; Ollama `template/template.go`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.errors import TemplateFailed
from shared.go_template.escaping import html_escaped, js_escaped, url_escaped
from shared.go_template.indexing import index, slice_of
from shared.go_template.pieces import Pieces
from shared.go_template.printf import sprintf
from shared.go_template.values import NO_VALUE, Struct, equal, json_of, length, less, text_of, truth, type_name
from shared.template_budget import Budget

SHORT_CIRCUIT: Final = frozenset({"and", "or"})


def call(name: str, arguments: list[object], budget: Budget) -> object:
    """The function's value. Looking at the arguments and making a value are charged to the budget.

    Raises: TemplateFailed for a wrong number or kind of arguments.
    """
    function, count_min, count_max = _FUNCTIONS[name]
    got = len(arguments)
    if got < count_min or (count_max is not None and got > count_max):
        wanted = f"{count_min}" if count_max == count_min else f"at least {count_min}"
        raise TemplateFailed(f"wrong number of args for {name}: want {wanted} got {got}")
    budget.see(sum(len(item) for item in arguments if isinstance(item, str | list | tuple | dict)))
    if name == "printf" and isinstance(arguments[0], str):
        budget.step(arguments[0].count("%"))
    try:
        value = function(budget, *arguments) if name in _BUILDERS else function(*arguments)
    except TemplateFailed as cause:
        raise TemplateFailed(f"error calling {name}: {cause.message}") from cause
    if isinstance(value, str | list):
        budget.build(len(value))
        budget.make(len(value))
    return value


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise TemplateFailed("missing argument for comparison")
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


def _print(budget: Budget, *values: object) -> str:
    """Like Go's Sprint: a space between neighbours of which neither is a string."""
    parts = Pieces(budget)
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            parts.append(" ")
        parts.append(text_of(value))
    return parts.joined()


def _println(budget: Budget, *values: object) -> str:
    parts = Pieces(budget)
    for position, value in enumerate(values):
        parts.append(f"{' ' if position else ''}{text_of(value)}")
    parts.append("\n")
    return parts.joined()


def _printf(budget: Budget, pattern: object, *values: object) -> str:
    if not isinstance(pattern, str):
        raise TemplateFailed(f"wrong type for value; expected string; got {type_name(pattern)}")
    return sprintf(pattern, values, budget)


def _escaping(escaped: Callable[[str], str]) -> Callable[..., str]:
    """A function that escapes what `print` makes of its arguments, with words for what is missing."""
    return lambda budget, *values: escaped(_print(budget, *(NO_VALUE if value is None else value for value in values)))


def _call(function: object, *_arguments: object) -> object:
    """No value here is a function, so this always fails, as it does in Go."""
    raise TemplateFailed("call of nil" if function is None else f"non-function of type {type_name(function)}")


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
    "eq": (_eq, 1, None),
    "ne": (_ne, 2, 2),
    "lt": (less, 2, 2),
    "le": (_le, 2, 2),
    "gt": (_gt, 2, 2),
    "ge": (_ge, 2, 2),
    "len": (length, 1, 1),
    "index": (index, 1, None),
    "slice": (slice_of, 1, None),
    "print": (_print, 0, None),
    "printf": (_printf, 1, None),
    "println": (_println, 0, None),
    "html": (_escaping(html_escaped), 0, None),
    "js": (_escaping(js_escaped), 0, None),
    "urlquery": (_escaping(url_escaped), 0, None),
    "call": (_call, 1, None),
    "json": (json_of, 1, 1),
    "currentDate": (_current_date, 0, None),
    "yesterdayDate": (_yesterday_date, 0, None),
    "toTypeScriptType": (_to_typescript_type, 1, 1),
}
"""Each function with how few and how many arguments it takes."""

_BUILDERS: Final = frozenset({"print", "printf", "println", "html", "js", "urlquery"})
"""Those that may put one argument into their text many times: they are given the budget first, to stop in time."""

NAMES: Final = frozenset(_FUNCTIONS) | SHORT_CIRCUIT
