"""A sandboxed Jinja environment whose work is charged to a budget. What templates see in it is `jinja.py`'s.

Loops, calls, filters, tests, comparisons, printing, concatenation and the operators that can grow text are counted,
before they are made where they could make much (`jinja_costs.py`).
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from services.worker.chat_template.jinja_costs import (
    FILTER_BOUNDS,
    LOOKS_ON_TOP,
    METHOD_BOUNDS,
    NUMBER_MAX,
    NUMBERS_TOO_LARGE,
    SIZED,
    formatted,
    size,
    weight,
)
from shared.errors import ParameterInvalid, TemplateInvalid
from shared.template_budget import Budget

NODES_MAX: Final = 20_000
"""Nodes of a template's syntax tree: turning them into code takes longer than anything else."""
_GLOBALS: Final = ("dict", "namespace", "range")
_FILTERS_LEFT_OUT: Final = frozenset({"pprint", "striptags", "urlize", "wordwrap", "xmlattr"})
"""For web pages and debugging; their work has no simple bound."""
_OF_THE_RUNTIME: Final = frozenset({"_loop_vars", "_block_vars"})
"""What Jinja's compiler adds to every call inside a loop or a block; it takes it away before the function is called."""

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
        super().__init__(optimized=False, finalize=_printed, **options)  # nothing is computed while compiling
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.filters = {n: _charged(n, function) for n, function in FILTERS.items() if n not in _FILTERS_LEFT_OUT}
        self.tests = {name: _charged(name, cast("Callable[..., Any]", test)) for name, test in TESTS.items()}

    def add_filter(self, name: str, function: Callable[..., Any]) -> None:
        self.filters[name] = _charged(name, function)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr != "striptags" and super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(getattr(function, "__wrapped__", function), "__self__", None)
        if owner is self:  # one of ours below, which charges for itself
            return function(*args)
        named = {name: value for name, value in kwargs.items() if name not in _OF_THE_RUNTIME}
        _charge_arguments([*args, *named.values()], is_deep=not isinstance(function, Macro))
        _charge_arguments([owner], is_deep=isinstance(owner, list | tuple))
        bound = METHOD_BOUNDS.get(getattr(function, "__name__", ""))
        if bound is not None and isinstance(owner, str):
            _budget.get().foresee(built=bound(_budget.get(), owner, *args, **named))
        return _charge_result(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = _budget.get()
        budget.step()
        match operator:
            case "*":
                _check_product(left, right)
            case "**" if not (abs(left) <= NUMBER_MAX and abs(right) <= 64):
                raise ParameterInvalid(NUMBERS_TOO_LARGE)
            case "%" if isinstance(left, str | bytes):
                budget.foresee(built=formatted(budget, left, right))
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
        _budget.get().foresee(built=sum(weight(_budget.get(), part) for part in parts))
        texts = [str(part) for part in parts]
        _budget.get().build(sum(map(len, texts)))
        return "".join(texts)

    def metered_compared(self, value: Any) -> Any:
        _charge_arguments([value], is_deep=True)
        return value

    def metered_sliced(self, value: Any) -> Any:
        _charge_arguments([value], is_deep=False)
        return value

    def metered_text(self, text: str) -> str:
        """The template's own words, which are charged like any other value where they are printed."""
        return text

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        if sum(1 for _ in source.find_all(nodes.Node)) > NODES_MAX:
            raise TemplateInvalid(f"template: the template has more than {NODES_MAX} parts")
        metering = _Metering()
        return super()._generate(metering.visit(source), *args, **kwargs)


class _Metering(NodeTransformer):
    """Routes the constructs that Jinja compiles to plain Python through the environment."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 — Jinja's visitor finds it by this name
        self.generic_visit(node)
        node.iter = _environment_call("metered_items", [cast("nodes.Expr", node.iter)])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802
        self.generic_visit(node)
        return _environment_call("metered_concat", node.nodes)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = _environment_call("metered_compared", [node.expr])
        for operand in node.ops:
            operand.expr = _environment_call("metered_compared", [operand.expr])
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Getitem:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _environment_call("metered_sliced", [node.node])
        return node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Call:  # noqa: N802
        return _environment_call("metered_text", [nodes.Const(node.data, lineno=node.lineno)])


def charge_built(chars: int) -> None:
    """For functions that pay for what they build as they go."""
    _budget.get().step()
    _budget.get().build(chars)


def _environment_call(name: str, args: list[nodes.Expr]) -> nodes.Call:
    line = args[0].lineno if args else 1
    function = nodes.EnvironmentAttribute(name, lineno=line)
    return nodes.Call(function, args, [], None, None, lineno=line)


@pass_context
def _printed(_context: Context, value: Any) -> str:
    """What a value looks like; not a constant's either, because each time it is printed counts."""
    budget = _budget.get()
    if not isinstance(value, str):
        budget.foresee(built=weight(budget, value))
    text = str(value)
    budget.build(len(text))
    return text


def _charged(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    bound = FILTER_BOUNDS.get(name)
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def charged(*args: Any, **kwargs: Any) -> Any:
        values = [_listed(value) for value in args[first:]]
        _charge_arguments([*values, *kwargs.values()], is_deep=name not in LOOKS_ON_TOP)
        if bound is not None:
            _budget.get().foresee(built=bound(_budget.get(), *values, **kwargs))
        return _charge_result(function(*args[:first], *values, **kwargs))

    return charged


def _listed(value: Any) -> Any:
    """What can be gone through only once, as a list, paid for; a loop's own state stays what it is."""
    if not isinstance(value, Iterator) or isinstance(value, LoopContext):
        return value
    result: list[Any] = []
    for item in value:
        _budget.get().step()
        result.append(item)
    return result


def _charge_arguments(arguments: Sequence[Any], *, is_deep: bool) -> None:
    budget = _budget.get()
    for argument in arguments:
        if isinstance(argument, int) and abs(argument) > NUMBER_MAX:
            raise ParameterInvalid(NUMBERS_TOO_LARGE)
        budget.see(weight(budget, argument) if is_deep and isinstance(argument, SIZED) else size(argument))


def _check_product(left: Any, right: Any) -> None:
    """Refuse a repetition before it is made."""
    for count, repeated in ((left, right), (right, left)):
        if isinstance(count, int) and isinstance(repeated, SIZED):
            _budget.get().build(max(0, count) * len(repeated))


def _charge_result(value: Any) -> Any:
    budget = _budget.get()
    budget.step()
    if isinstance(value, str | list | tuple | dict):
        budget.build(len(value))
    elif isinstance(value, int) and value.bit_length() > 4096:
        raise ParameterInvalid(NUMBERS_TOO_LARGE)
    return value
