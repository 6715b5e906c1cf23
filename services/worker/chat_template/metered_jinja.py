"""A sandboxed Jinja environment whose work is charged to a budget. What templates see in it is `jinja.py`'s.

Loops, calls, filters, concatenation and the operators that can grow text are counted. Not bounded is what one single
built-in call allocates when its arguments are large but allowed (a padded format, a replacement of every character):
the budget notices only the result.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from shared.errors import ParameterInvalid
from shared.template_budget import Budget

NUMBER_MAX: Final = 1_000_000
"""Largest number a template may hand to a function or multiply with: a width or a count, never data."""

_budget: ContextVar[Budget] = ContextVar("chat_template_budget")


@contextlib.contextmanager
def metered(budget: Budget) -> Iterator[None]:
    """Charge what environments of this module do within the block to `budget`."""
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


class MeteredEnvironment(ImmutableSandboxedEnvironment):
    """Charges everything that can repeat or grow; values are what plain Jinja would give."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters = {name: _charged(function) for name, function in FILTERS.items()}

    def add_filter(self, name: str, function: Callable[..., Any]) -> None:
        self.filters[name] = _charged(function)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        _check_arguments(args)
        _check_arguments(kwargs.values())
        return _charge_result(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = _budget.get()
        budget.step()
        match operator:
            case "*":
                _check_product(left, right)
            case "**" if not (abs(left) <= NUMBER_MAX and abs(right) <= 64):
                raise ParameterInvalid("the template computes with numbers that are too large")
        return _charge_result(super().call_binop(context, operator, left, right))

    def metered_items(self, items: Iterable[Any]) -> list[Any]:
        """What a loop goes over, paid for in advance."""
        budget = _budget.get()
        result: list[Any] = []
        for item in items:
            budget.step()
            result.append(item)
        return result

    def metered_concat(self, *parts: Any) -> str:
        texts = [str(part) for part in parts]
        _budget.get().build(sum(map(len, texts)))
        return "".join(texts)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        metering = _Metering()
        return super()._generate(metering.visit(source), *args, **kwargs)


class _Metering(NodeTransformer):
    """Routes the two constructs that Jinja compiles to plain Python through the environment."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 — Jinja's visitor finds it by this name
        self.generic_visit(node)
        node.iter = _environment_call("metered_items", [cast("nodes.Expr", node.iter)])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802
        self.generic_visit(node)
        return _environment_call("metered_concat", node.nodes)


def _environment_call(name: str, args: list[nodes.Expr]) -> nodes.Call:
    line = args[0].lineno if args else 1
    function = nodes.EnvironmentAttribute(name, lineno=line)
    return nodes.Call(function, args, [], None, None, lineno=line)


def _charged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def charged(*args: Any, **kwargs: Any) -> Any:
        _check_arguments(args)
        _check_arguments(kwargs.values())
        return _charge_result(function(*args, **kwargs))

    return charged


def _check_arguments(arguments: Iterable[Any]) -> None:
    for argument in arguments:
        if isinstance(argument, int) and abs(argument) > NUMBER_MAX:
            raise ParameterInvalid("the template computes with numbers that are too large")


def _check_product(left: Any, right: Any) -> None:
    """Refuse a repetition before it is made."""
    for count, repeated in ((left, right), (right, left)):
        if isinstance(count, int) and isinstance(repeated, str | list | tuple):
            _budget.get().build(max(0, count) * len(repeated))


def _charge_result(value: Any) -> Any:
    budget = _budget.get()
    budget.step()
    if isinstance(value, str | list | tuple | dict):
        budget.build(len(value))
    elif isinstance(value, int) and value.bit_length() > 4096:
        raise ParameterInvalid("the template computes with numbers that are too large")
    return value
