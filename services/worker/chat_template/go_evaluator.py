"""Walks a Go template's syntax tree over data and gives the text. Bounded in steps, text and depth.

Source: Go `text/template/exec.go`.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.worker.chat_template import go_ast as ast
from services.worker.chat_template import go_functions
from services.worker.chat_template.budget import Budget
from services.worker.chat_template.go_values import Struct, kind, printed, truth
from shared.errors import ParameterInvalid

CALL_DEPTH_MAX: Final = 50


def execute(template: ast.Template, data: object, budget: Budget) -> str:
    """Raises: ParameterInvalid when the template fails on this data or does too much."""
    evaluator = _Evaluator(template, budget)
    try:
        return evaluator.run(data)
    except ParameterInvalid as cause:
        raise ParameterInvalid(f"template: line {evaluator.line}: {_bare(cause.message)}") from cause
    except RecursionError as cause:
        raise ParameterInvalid(f"template: line {evaluator.line}: nested too deeply") from cause


def _bare(message: str) -> str:
    return message.removeprefix("template: ")


class _BreakRange(Exception):
    """Control flow of the template, not an error; so is its sibling."""


class _ContinueRange(Exception):
    """See above."""


class _Evaluator:
    def __init__(self, template: ast.Template, budget: Budget) -> None:
        self._template = template
        self._budget = budget
        self._parts: list[str] = []
        self._variables: list[tuple[str, object]] = []
        self._depth = 0
        self.line = 1

    def run(self, data: object) -> str:
        self._variables = [("$", data)]
        self._walk(self._template.nodes, data)
        return "".join(self._parts)

    def _walk(self, nodes: ast.Nodes, dot: object) -> None:
        for node in nodes:
            self._budget.step()
            match node:
                case ast.Text(text=text):
                    self._write(text)
                case ast.Break():
                    raise _BreakRange
                case ast.Continue():
                    raise _ContinueRange
                case _:
                    self.line = node.line
                    self._perform(node, dot)

    def _perform(self, node: ast.Output | ast.Block | ast.Call, dot: object) -> None:
        mark = len(self._variables)
        match node:
            case ast.Output(pipeline=pipeline):
                value = self._pipeline(pipeline, dot)
                if not pipeline.variables:
                    self._write(printed(value))
                return  # what an action declares lives on until its block ends
            case ast.If(condition=condition):
                holds = truth(self._pipeline(condition, dot))
                self._walk(node.body if holds else node.otherwise, dot)
            case ast.With(value=pipeline):
                value = self._pipeline(pipeline, dot)
                self._walk(*((node.body, value) if truth(value) else (node.otherwise, dot)))
            case ast.Range():
                self._range(node, dot)
            case ast.Call():
                self._call(node, dot)
        del self._variables[mark:]

    def _range(self, node: ast.Range, dot: object) -> None:
        """Walk the body once per item, with dot and the range's own variables set to it."""
        items = self._pipeline(node.items, dot, sets_variables=False)
        names = node.items.variables
        walked = False
        mark = len(self._variables)
        for key, item in _entries(items):
            walked = True
            self._budget.step()
            values = (key, item)[2 - len(names) :] if names else ()
            for name, value in zip(names, values, strict=True):
                self._set(name, value, assigns=node.items.assigns)
            try:
                self._walk(node.body, item)
            except _ContinueRange:
                continue
            except _BreakRange:
                break
            finally:
                del self._variables[mark:]
        if not walked:
            self._walk(node.otherwise, dot)

    def _call(self, node: ast.Call, dot: object) -> None:
        if node.name not in self._template.definitions:
            raise ParameterInvalid(f'template "{node.name}" not defined')
        if self._depth >= CALL_DEPTH_MAX:
            raise ParameterInvalid("exceeded maximum template depth")
        argument = None if node.argument is None else self._pipeline(node.argument, dot)
        outer = self._variables
        self._variables = [("$", argument)]
        self._depth += 1
        self._walk(self._template.definitions[node.name], argument)
        self._depth -= 1
        self._variables = outer

    def _pipeline(self, pipeline: ast.Pipeline, dot: object, *, sets_variables: bool = True) -> object:
        """The value of the last command, each command before it being the last argument of the next."""
        received: tuple[object, ...] = ()
        for command in pipeline.commands:
            self._budget.step()
            received = (self._command(command, dot, received),)
        if sets_variables:
            for name in pipeline.variables:
                self._set(name, received[0], assigns=pipeline.assigns)
        return received[0]

    def _command(self, command: tuple[ast.Operand, ...], dot: object, received: tuple[object, ...]) -> object:
        first, rest = command[0], command[1:]
        if isinstance(first, ast.Function):
            return self._function(first.name, rest, dot, received)
        if rest or received:
            raise ParameterInvalid("can't give argument to what is no function")
        if first == ast.Literal(None):
            raise ParameterInvalid("nil is not a command")
        return self._operand(first, dot)

    def _function(
        self, name: str, operands: tuple[ast.Operand, ...], dot: object, received: tuple[object, ...]
    ) -> object:
        if name in go_functions.SHORT_CIRCUIT:
            return self._short_circuit(name, operands, dot, received)
        arguments = [self._operand(operand, dot) for operand in operands]
        return go_functions.call(name, [*arguments, *received], self._budget)

    def _short_circuit(
        self, name: str, operands: tuple[ast.Operand, ...], dot: object, received: tuple[object, ...]
    ) -> object:
        """The operand that decides `and` or `or`; those after it are not evaluated."""
        if not operands and not received:
            raise ParameterInvalid(f"wrong number of args for {name}: got 0")
        value: object = None
        for operand in operands:
            value = self._operand(operand, dot)
            if truth(value) is (name == "or"):
                return value
        return received[0] if received else value

    def _operand(self, operand: ast.Operand, dot: object) -> object:
        self._budget.step()
        match operand:
            case ast.Literal(value=value):
                return value
            case ast.Dot():
                return dot
            case ast.Variable(name=name):
                return self._get(name)
            case ast.Pipeline():
                return self._pipeline(operand, dot)
            case ast.Function(name=name):
                return self._function(name, (), dot, ())
            case ast.Fields(base=base, names=names):
                return functools.reduce(_field, names, self._operand(base, dot))

    def _get(self, name: str) -> object:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise ParameterInvalid(f"undefined variable: {name}")

    def _set(self, name: str, value: object, *, assigns: bool) -> None:
        """Declare a variable in the innermost block, or change the nearest one of that name wherever it lives."""
        if not assigns:
            self._variables.append((name, value))
            return
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._variables[position] = (name, value)
                return
        raise ParameterInvalid(f"undefined variable: {name}")

    def _write(self, text: str) -> None:
        self._budget.output(len(text))
        self._parts.append(text)


def _field(value: object, name: str) -> object:
    """A map's missing key and a field of nothing are nothing; a struct's missing field is an error."""
    if value is None:
        return None
    if isinstance(value, Struct):
        if name in value.fields:
            return value.fields[name]
    elif isinstance(value, Mapping):
        return value.get(name)
    raise ParameterInvalid(f"can't evaluate field {name} in type {kind(value)}")


def _entries(items: object) -> Iterator[tuple[object, object]]:
    """Key and item of what a range goes over; maps in the order of their keys."""
    match items:
        case None:
            return
        case bool() | float() | str() | Struct():
            raise ParameterInvalid(f"range can't iterate over {kind(items)}")
        case int():
            yield from ((number, number) for number in range(items))
        case Mapping():
            yield from ((key, items[key]) for key in sorted(items))
        case Sequence():
            yield from enumerate(items)
