"""Walks a Go template's syntax tree over data and gives the text. Bounded in steps, text and depth.

A key that a map lacks is nothing, as with Go's option `missingkey=zero`, which Ollama sets: it prints `<no value>`, is
false, and has no fields.
Source: Go `text/template/exec.go`.
"""

from collections.abc import Iterator
from typing import Final

from shared.errors import TemplateFailed
from shared.go_template import ast, functions
from shared.go_template.quoting import quoted, whole
from shared.go_template.values import Struct, printed, text_of, truth, type_name
from shared.template_budget import Budget

DEPTH_MAX: Final = 100
"""Blocks, parentheses and called templates within each other: well below Python's own limit to recursion."""
_VARIABLES_PER_STEP: Final = 16


def render(template: ast.Template, data: object, budget: Budget | None = None) -> str:
    """The text of a template over data made of the values that `values` knows.

    Raises: TemplateFailed in Go's words, which tell the place, when the template fails on this data or does too much.
    """
    evaluator = _Evaluator(template, Budget() if budget is None else budget)
    try:
        return evaluator.run(data)
    except TemplateFailed as cause:
        raise TemplateFailed(whole(f"template: {evaluator.place()}: {cause.message}")) from cause


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
        self._name = ""
        self._span = ast.NOWHERE

    def run(self, data: object) -> str:
        self._variables = [("$", data)]
        self._walk(self._template.nodes, data)
        return whole("".join(self._parts))

    def place(self) -> str:
        """Where the evaluation is, as Go tells it: line, column, template, expression."""
        start, end = self._span
        before = self._template.source[:start]
        column = start - (before.rfind("\n") + 1)
        expression = self._template.source[start:end]
        return f":{before.count(chr(10)) + 1}:{column}: executing {quoted(self._name)} at <{expression}>"

    def _walk(self, nodes: ast.Nodes, dot: object) -> None:
        for node in nodes:
            self._budget.step()
            match node:
                case ast.Text(text=text):
                    self._write(text)
                case ast.Output(pipeline=pipeline):
                    value = self._pipeline(pipeline, dot)  # what it declares lives on until its block ends
                    if not pipeline.variables:
                        self._print(value)
                case ast.Break():
                    raise _BreakRange
                case ast.Continue():
                    raise _ContinueRange
                case _:
                    mark = len(self._variables)
                    self._deeper()
                    self._block(node, dot)
                    self._depth -= 1
                    if not isinstance(node, ast.Call):
                        del self._variables[mark:]

    def _block(self, node: ast.If | ast.With | ast.Range | ast.Call, dot: object) -> None:
        match node:
            case ast.If(branches=branches, otherwise=otherwise):
                body = next(
                    (branch.body for branch in branches if truth(self._pipeline(branch.condition, dot))), otherwise
                )
                self._walk(body, dot)
            case ast.With():
                self._with(node, dot)
            case ast.Range():
                self._range(node, dot)
            case ast.Call():
                self._call(node, dot)

    def _with(self, node: ast.With, dot: object) -> None:
        for branch in node.branches:
            value = self._pipeline(branch.condition, dot)
            if truth(value):
                self._walk(branch.body, value)
                return
        self._walk(node.otherwise, dot)

    def _range(self, node: ast.Range, dot: object) -> None:
        """Walk the body once per item, with dot and the range's own variables set to it."""
        items = self._pipeline(node.items, dot)
        if isinstance(items, dict):
            self._budget.step(len(items))  # its keys are sorted, however few of them are then visited
        mark, depth = len(self._variables), self._depth
        walked = False
        for key, item in _entries(items):
            walked = True
            self._budget.step()
            self._set_loop_variables(node.items, key, item, mark)
            try:
                self._walk(node.body, item)
            except _ContinueRange:
                continue
            except _BreakRange:
                break
            finally:
                self._depth = depth
                del self._variables[mark:]
        if not walked:
            self._walk(node.otherwise, dot)

    def _set_loop_variables(self, items: ast.Pipeline, key: object, item: object, mark: int) -> None:
        """Of two variables the first is the key, a single one is the item. Declared ones lie just below `mark`."""
        names = items.variables
        values = (key, item)[2 - len(names) :] if names else ()
        for position, (name, value) in enumerate(zip(names, values, strict=True)):
            if items.assigns:
                self._assign(name, value)
            else:
                self._variables[mark - len(names) + position] = (name, value)

    def _call(self, node: ast.Call, dot: object) -> None:
        self._span = node.span
        body = self._template.body_of(node.name)
        if body is None:
            raise TemplateFailed(f"template {quoted(node.name)} not defined")
        argument = None if node.argument is None else self._pipeline(node.argument, dot)
        outer = self._variables, self._name
        self._variables, self._name = [("$", argument)], node.name
        self._walk(body, argument)
        self._variables, self._name = outer

    def _pipeline(self, pipeline: ast.Pipeline, dot: object) -> object:
        """The value of the last command, each command before it being the last argument of the next."""
        received: tuple[object, ...] = ()
        for command in pipeline.commands:
            self._budget.step()
            received = (self._command(command, dot, received),)
        for name in pipeline.variables:
            if pipeline.assigns:
                self._assign(name, received[0])
            else:
                self._variables.append((name, received[0]))
        return received[0]

    def _command(self, command: ast.Command, dot: object, received: tuple[object, ...]) -> object:
        first, rest = command.operands[0], command.operands[1:]
        if isinstance(first, ast.Function):
            return self._function(first.name, command, rest, dot, received)
        self._span = first.span
        if rest or received:
            raise TemplateFailed(self._no_function(first))
        if isinstance(first, ast.Literal) and first.value is None:
            raise TemplateFailed("nil is not a command")
        return self._operand(first, dot)

    def _no_function(self, operand: ast.Operand) -> str:
        if isinstance(operand, ast.Fields):
            return f"{operand.names[-1]} is not a method but has arguments"
        return f"can't give argument to non-function {self._template.source[slice(*operand.span)]}"

    def _function(
        self,
        name: str,
        whole_call: ast.Command | ast.Function,
        operands: tuple[ast.Operand, ...],
        dot: object,
        received: tuple[object, ...],
    ) -> object:
        if name in functions.SHORT_CIRCUIT:
            self._span = whole_call.span
            return self._short_circuit(name, operands, dot, received)
        arguments = [self._operand(operand, dot) for operand in operands]
        self._span = whole_call.span
        return functions.call(name, [*arguments, *received], self._budget)

    def _short_circuit(
        self, name: str, operands: tuple[ast.Operand, ...], dot: object, received: tuple[object, ...]
    ) -> object:
        """The operand that decides `and` or `or`; those after it are not evaluated."""
        if not operands and not received:
            raise TemplateFailed(f"wrong number of args for {name}: want at least 1 got 0")
        value: object = None
        for operand in operands:
            value = self._operand(operand, dot)
            if truth(value) is (name == "or"):
                return value
        return received[0] if received else value

    def _operand(self, operand: ast.Operand, dot: object) -> object:
        self._budget.step()
        match operand:
            case ast.Literal():
                return operand.value
            case ast.Dot():
                return dot
            case ast.Variable(name=name, span=span):
                self._span = span
                return self._variable(name)
            case ast.Pipeline():
                self._deeper()
                value = self._pipeline(operand, dot)
                self._depth -= 1
                return value
            case ast.Function(name=name):
                return self._function(name, operand, (), dot, ())
            case ast.Fields(base=base, names=names, span=span):
                value = self._operand(base, dot)
                self._span = span
                return _field(value, names)

    def _variable(self, name: str) -> object:
        return self._variables[self._position_of(name)][1]

    def _assign(self, name: str, value: object) -> None:
        """Change the nearest variable of that name, wherever it lives."""
        self._variables[self._position_of(name)] = (name, value)

    def _position_of(self, name: str) -> int:
        """Where the nearest variable of that name is."""
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._budget.step((len(self._variables) - position) // _VARIABLES_PER_STEP)
                return position
        raise TemplateFailed(f"undefined variable: {name}")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TemplateFailed("exceeded maximum template depth")

    def _print(self, value: object) -> None:
        text = printed(value)
        if not isinstance(value, str):
            self._budget.make(len(text))
        self._write(text)

    def _write(self, text: str) -> None:
        self._budget.output(len(text))
        self._parts.append(text)


def _field(value: object, names: tuple[str, ...]) -> object:
    """The field at the end of a chain. A map's missing key and a field of nothing are nothing.

    Raises: TemplateFailed for a field that a struct lacks, and for a field of what a missing key gave.
    """
    for position, name in enumerate(names):
        match value:
            case None if position == 0:
                return None
            case None:
                raise TemplateFailed(f"nil pointer evaluating interface {{}}.{name}")
            case Struct(fields=fields) if name in fields:
                value = fields[name]
            case dict():
                value = value.get(name)
            case _:
                raise TemplateFailed(f"can't evaluate field {name} in type {type_name(value)}")
    return value


def _entries(items: object) -> Iterator[tuple[object, object]]:
    """Key and item of what a range goes over; maps in the order of their keys."""
    match items:
        case bool() | float() | str() | Struct():
            raise TemplateFailed(f"range can't iterate over {text_of(items)}")
        case int():
            yield from ((number, number) for number in range(items))
        case dict():
            yield from ((key, items[key]) for key in sorted(items))
        case list() | tuple():
            yield from enumerate(items)
