"""What a call in a Jinja template may build at most, told before it is made. Bounds are upper ones, never exact."""

import re
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from typing import Final

from jinja2.utils import Namespace

from shared.errors import ParameterInvalid
from shared.template_budget import Budget

NUMBER_MAX: Final = 1_000_000
"""Largest number a template may hand to a function or multiply with: a width or a count, never data."""
SIZED: Final = (str, bytes, list, tuple, dict, set, frozenset, KeysView, ValuesView, ItemsView)
NUMBERS_TOO_LARGE: Final = "the template computes with numbers that are too large"

_ITEMS_PER_STEP: Final = 16
_SCALAR_CHARS: Final = 16
_DIGITS: Final = re.compile(r"[0-9]+")
_WIDTH_FROM_VALUE: Final = re.compile(r"\{[^{}]*:[^{}]*\{")
"""As in `{0:{1}}`."""


def weight(budget: Budget, value: object) -> int:
    """Characters and items in a value however deep, each as often as it would be printed. The walk takes steps.

    Raises: TemplateFailed when the walk takes too many, ParameterInvalid for a namespace, which has no end.
    """
    total = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Namespace):
            raise ParameterInvalid("a namespace can be neither printed nor compared")
        if not isinstance(item, SIZED):
            total += item.bit_length() if isinstance(item, int) else _SCALAR_CHARS
            continue
        total += len(item)
        if isinstance(item, str | bytes):
            continue
        budget.step(1 + len(item) // _ITEMS_PER_STEP)
        pending.extend(item)
        if isinstance(item, dict):
            pending.extend(item.values())
    return total


def size(value: object) -> int:
    return len(value) if isinstance(value, SIZED) else 0


def formatted(budget: Budget, pattern: object, *args: object, **kwargs: object) -> int:
    """For `%` and `str.format`: every width, and every value wherever a mark may show it."""
    text = str(pattern)
    if _WIDTH_FROM_VALUE.search(text.replace("{{", "")):
        raise ParameterInvalid("the template takes a width from a value")
    widths = [int(digits) if len(digits) < 8 else NUMBER_MAX + 1 for digits in _DIGITS.findall(text)]
    if any(width > NUMBER_MAX for width in widths):
        raise ParameterInvalid(NUMBERS_TOO_LARGE)
    values = [*_spread(args), *kwargs.values()]
    largest = sum(weight(budget, value) for value in values)
    star = max((abs(value) for value in values if isinstance(value, int)), default=0) if "*" in text else 0
    if star > NUMBER_MAX:
        raise ParameterInvalid(NUMBERS_TOO_LARGE)
    return len(text) + sum(widths) + (text.count("%") + text.count("{")) * (largest + star)


def _spread(args: tuple[object, ...]) -> tuple[object, ...]:
    return args[0] if len(args) == 1 and isinstance(args[0], tuple) else args


def replaced(budget: Budget, text: object, old: object, new: object, count: int | None = None) -> int:
    for value in (text, old, new):
        budget.foresee(built=weight(budget, value))
    whole, wanted, instead = str(text), str(old), str(new)
    found = whole.count(wanted)
    return len(whole) + (found if count is None or count < 0 else min(found, count)) * len(instead)


def joined(budget: Budget, items: object, separator: object = "", attribute: object = None) -> int:  # noqa: ARG001
    return weight(budget, items) + size(items) * weight(budget, separator)


def indented(budget: Budget, text: object, width: object = 4, *_flags: object, **_named: object) -> int:
    lines = len(text.splitlines()) + 1 if isinstance(text, str) else 1
    return weight(budget, text) + lines * (width if isinstance(width, int) else weight(budget, width))


def summed(budget: Budget, items: object, attribute: object = None, start: object = 0) -> int:  # noqa: ARG001
    """Lists are added one by one, each sum a new list."""
    return weight(budget, items) * (size(items) if isinstance(start, SIZED) else 1)


def _tabs_expanded(_budget: Budget, text: str, tabsize: int = 8) -> int:
    return len(text) + text.count("\t") * abs(tabsize)


def _translated(budget: Budget, text: str, table: object) -> int:
    largest = max((weight(budget, value) for value in table.values()), default=1) if isinstance(table, dict) else 1
    return len(text) * largest


def stripped(budget: Budget, text: object, chars: object = None) -> int:
    """What looks at each character for each of others, which is work and no text."""
    budget.see(size(text) * size(chars))
    return size(text)


def _searched_backwards(budget: Budget, text: str, wanted: object = None, *_limits: object, **_named: object) -> int:
    return stripped(budget, text, wanted)


FILTER_BOUNDS: Final[dict[str, Callable[..., int]]] = {
    "format": formatted,
    "indent": indented,
    "join": joined,
    "replace": replaced,
    "sum": summed,
    "trim": stripped,
}
METHOD_BOUNDS: Final[dict[str, Callable[..., int]]] = {
    "expandtabs": _tabs_expanded,
    "format": formatted,
    "format_map": formatted,
    "join": lambda budget, separator, items: joined(budget, items, separator),
    "lstrip": stripped,
    "replace": replaced,
    "rfind": _searched_backwards,
    "rindex": _searched_backwards,
    "rpartition": _searched_backwards,
    "rsplit": _searched_backwards,
    "rstrip": stripped,
    "strip": stripped,
    "translate": _translated,
}
"""By the name of the filter, and of the method of str."""

LOOKS_ON_TOP: Final = frozenset({
    "attr", "batch", "boolean", "callable", "count", "d", "default", "defined", "divisibleby",
    "escaped", "even", "false", "filter", "first", "float", "integer", "items", "iterable",
    "last", "length", "list", "map", "mapping", "none", "number", "odd", "reject",
    "rejectattr", "reverse", "sameas", "select", "selectattr", "sequence", "slice", "test", "tojson",
    "true", "undefined",
})  # fmt: skip
"""Filters and tests that do not go into their arguments' items; `tojson` pays for itself."""
