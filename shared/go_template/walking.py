"""Ways through a template's syntax tree: its lists of nodes, its pipelines, the fields it names."""

from collections.abc import Iterator

from shared.go_template.ast import (
    Call,
    Dot,
    Fields,
    If,
    Literal,
    Node,
    Nodes,
    Operand,
    Output,
    Pipeline,
    Range,
    Template,
    With,
)


def bodies(node: Node) -> tuple[Nodes, ...]:
    """The lists of nodes inside a block, in the order of the source; none for anything else."""
    match node:
        case If(branches=branches, otherwise=otherwise) | With(branches=branches, otherwise=otherwise):
            return (*(branch.body for branch in branches), otherwise)
        case Range(body=body, otherwise=otherwise):
            return (body, otherwise)
    return ()


def own_pipelines(node: Node) -> tuple[Pipeline, ...]:
    """The pipelines of the node itself, without those of the nodes inside it."""
    match node:
        case Output(pipeline=pipeline) | Call(argument=Pipeline() as pipeline) | Range(items=pipeline):
            return (pipeline,)
        case If(branches=branches) | With(branches=branches):
            return tuple(branch.condition for branch in branches)
    return ()


def operands(pipeline: Pipeline) -> Iterator[Operand]:
    """Every operand, those within parentheses included; these and field chains come before what they are made of."""
    for command in pipeline.commands:
        for operand in command.operands:
            yield from _parts(operand)


def field_names(template: Template) -> frozenset[str]:
    """Every field name the source mentions anywhere."""
    return frozenset(
        name
        for nodes in (template.nodes, *template.definitions.values())
        for node in _all_nodes(nodes)
        for pipeline in own_pipelines(node)
        for operand in operands(pipeline)
        if isinstance(operand, Fields)
        for name in operand.names
    )


def dot_fields(pipeline: Pipeline) -> Iterator[tuple[str, ...]]:
    """The field chains of the current value among the pipeline's operands: `.A.B` gives ("A", "B")."""
    for operand in operands(pipeline):
        if isinstance(operand, Fields) and isinstance(operand.base, Dot):
            yield operand.names


def _all_nodes(nodes: Nodes) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in bodies(node):
            yield from _all_nodes(body)


def _parts(operand: Operand) -> Iterator[Operand]:
    yield operand
    match operand:
        case Fields(base=base) if not isinstance(base, Dot | Literal):
            yield from _parts(base)
        case Pipeline():
            yield from operands(operand)
