"""The syntax tree of a Go template. Only shapes: `go_parser` makes them, `go_evaluator` walks them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, with the dollar sign; `$` alone is the data the template was executed with."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    name: str


@dataclass(frozen=True, slots=True)
class Fields:
    """`.A.B` of a base: the current value, a variable or a parenthesised pipeline."""

    base: "Operand"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`, each a list of operands; its value may be put into variables."""

    commands: tuple[tuple["Operand", ...], ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False  # `=` changes a variable that exists, `:=` declares a new one


Operand: TypeAlias = Literal | Dot | Variable | Function | Fields | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """`{{ pipeline }}`: prints its value unless it sets a variable."""

    pipeline: Pipeline
    line: int


@dataclass(frozen=True, slots=True)
class If:
    condition: Pipeline
    body: "Nodes"
    otherwise: "Nodes"
    line: int


@dataclass(frozen=True, slots=True)
class With:
    value: Pipeline
    body: "Nodes"
    otherwise: "Nodes"
    line: int


@dataclass(frozen=True, slots=True)
class Range:
    items: Pipeline
    body: "Nodes"
    otherwise: "Nodes"
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipeline }}`."""

    name: str
    argument: Pipeline | None
    line: int


@dataclass(frozen=True, slots=True)
class Break:
    pass


@dataclass(frozen=True, slots=True)
class Continue:
    pass


Block: TypeAlias = If | With | Range
Node: TypeAlias = Text | Output | Block | Call | Break | Continue
Nodes: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed source: its own nodes, and the templates it defines by name."""

    nodes: Nodes
    definitions: dict[str, Nodes] = field(default_factory=dict)


def head(block: Block) -> Pipeline:
    """The pipeline between a block's keyword and its body."""
    match block:
        case If(condition=pipeline) | With(value=pipeline) | Range(items=pipeline):
            return pipeline


def field_names(template: Template) -> frozenset[str]:
    """Every field name the source mentions anywhere."""
    names: set[str] = set()
    for nodes in (template.nodes, *template.definitions.values()):
        for pipeline in _pipelines(nodes):
            names.update(_names_in(pipeline))
    return frozenset(names)


def reads_field_of_dot(pipeline: Pipeline, name: str) -> bool:
    """Whether one of the pipeline's own operands is a field chain of the current value through `name`."""
    return any(
        isinstance(operand, Fields) and isinstance(operand.base, Dot) and name in operand.names
        for command in pipeline.commands
        for operand in command
    )


def _pipelines(nodes: Nodes) -> Iterator[Pipeline]:
    for node in nodes:
        match node:
            case Output(pipeline=pipeline) | Call(argument=Pipeline() as pipeline):
                yield pipeline
            case If() | With() | Range():
                yield head(node)
                yield from _pipelines(node.body)
                yield from _pipelines(node.otherwise)


def _names_in(operand: Operand) -> Iterator[str]:
    match operand:
        case Fields(base=base, names=names):
            yield from names
            yield from _names_in(base)
        case Pipeline(commands=commands):
            for command in commands:
                for part in command:
                    yield from _names_in(part)
