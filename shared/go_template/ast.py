"""The syntax tree of a Go template. Only shapes: `parser` makes them, `evaluator` and `walking` go through them."""

from dataclasses import dataclass, field
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Where in the source something stands: from the first character to the one after the last."""

NOWHERE: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, with the dollar sign; `$` alone is the data the template was executed with."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Fields:
    """`.A.B` of a base: the current value, a variable, a function's value or a parenthesised pipeline."""

    base: "Operand"
    names: tuple[str, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Command:
    """Operands of which the first is a function that takes the others, or the only one."""

    operands: tuple["Operand", ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`; the value may be put into variables."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False  # `=` changes a variable that exists, `:=` declares a new one
    span: Span = field(default=NOWHERE, compare=False)


Operand: TypeAlias = Literal | Dot | Variable | Function | Fields | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """`{{ pipeline }}`: prints its value unless it sets a variable."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    condition: Pipeline
    body: "Nodes"


@dataclass(frozen=True, slots=True)
class If:
    """`if`, every `else if` that follows it, and `else`."""

    branches: tuple[Branch, ...]
    otherwise: "Nodes" = ()


@dataclass(frozen=True, slots=True)
class With:
    """`with`, every `else with` that follows it, and `else`."""

    branches: tuple[Branch, ...]
    otherwise: "Nodes" = ()


@dataclass(frozen=True, slots=True)
class Range:
    items: Pipeline
    body: "Nodes"
    otherwise: "Nodes" = ()


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipeline }}`."""

    name: str
    argument: Pipeline | None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Break:
    pass


@dataclass(frozen=True, slots=True)
class Continue:
    pass


Node: TypeAlias = Text | Output | If | With | Range | Call | Break | Continue
Nodes: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed source: its own nodes, and the templates it defines by name."""

    nodes: Nodes
    definitions: dict[str, Nodes] = field(default_factory=dict)
    source: str = ""

    def body_of(self, name: str) -> Nodes | None:
        """The nodes of the template of that name; the source as a whole has the empty one."""
        return self.definitions.get(name) if name else self.nodes
