"""The shape of the tree and the limits of the source; what is refused, and how, is in `golden/`."""

from collections.abc import Callable

import pytest

from shared.errors import Kind
from shared.go_template import TemplateInvalid, parse_template
from shared.go_template.ast import (
    Branch,
    Call,
    Command,
    Dot,
    Fields,
    Function,
    If,
    Literal,
    Output,
    Pipeline,
    Range,
    Text,
    Variable,
)
from shared.go_template.parser import NESTING_MAX, VARIABLES_MAX
from shared.template_budget import SOURCE_CHARS_MAX


def value(*operands: Literal | Fields | Variable | Function | Dot) -> Pipeline:
    return Pipeline((Command(operands),))


def field(*names: str) -> Fields:
    return Fields(Dot(), names)


def test_a_chain_of_else_if_is_one_node_however_long_it_is() -> None:
    source = "{{ if .A }}0" + "".join(f"{{{{ else if .A }}}}{number}" for number in range(1, 200)) + "{{ end }}"
    (node,) = parse_template(source).nodes
    assert isinstance(node, If)
    assert node.branches[:2] == (Branch(value(field("A")), (Text("0"),)), Branch(value(field("A")), (Text("1"),)))
    assert len(node.branches) == 200


def test_a_range_holds_its_variables() -> None:
    (node,) = parse_template("{{ range $i, $v := .A.B }}{{ $v.C }}{{ else }}none{{ end }}").nodes
    assert node == Range(
        Pipeline((Command((field("A", "B"),)),), ("$i", "$v")),
        (Output(value(Fields(Variable("$v"), ("C",)))),),
        (Text("none"),),
    )


def test_definitions_stand_apart_from_the_text() -> None:
    template = parse_template('a{{ define "t" }}b{{ end }}{{ template "t" 1 }}')
    assert template.nodes == (Text("a"), Call("t", value(Literal(1))))
    assert template.definitions == {"t": (Text("b"),)}


def test_a_definition_without_a_name_is_the_template_itself() -> None:
    assert parse_template('{{ define "" }}a{{ end }} ').nodes == (Text("a"),)
    with pytest.raises(TemplateInvalid, match="multiple definition"):
        parse_template('{{ define "" }}a{{ end }}b')


def test_nodes_know_where_they_stand() -> None:
    source = 'a {{ eq .B.C "d" }}'
    node = parse_template(source).nodes[1]
    assert isinstance(node, Output)
    command = node.pipeline.commands[0]
    spans = [command.span, *(operand.span for operand in command.operands)]
    assert [source[slice(*span)] for span in spans] == ['eq .B.C "d"', "eq", ".B.C", '"d"']


def test_a_fault_is_the_callers() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        parse_template("{{ .X }")
    assert caught.value.kind is Kind.INVALID
    assert caught.value.message == 'template: :1: unexpected "}" in operand'


@pytest.mark.parametrize(
    "nested",
    [
        lambda depth: "{{ if .A }}" * depth + "{{ end }}" * depth,
        lambda depth: "{{ range .A }}" * depth + "{{ end }}" * depth,
        lambda depth: "{{ " + "(" * depth + "1" + ")" * depth + " }}",
    ],
    ids=["if", "range", "parentheses"],
)
def test_nesting_has_a_limit(nested: Callable[[int], str]) -> None:
    assert parse_template(nested(NESTING_MAX)).nodes
    with pytest.raises(TemplateInvalid, match="max expression depth exceeded"):
        parse_template(nested(NESTING_MAX + 1))


def test_variables_have_a_limit_which_blocks_give_back() -> None:
    assert parse_template("{{ $x := 1 }}" * (VARIABLES_MAX - 1)).nodes
    assert parse_template("{{ with $x := 1 }}{{ end }}" * VARIABLES_MAX).nodes
    with pytest.raises(TemplateInvalid, match="too many variables"):
        parse_template("{{ $x := 1 }}" * VARIABLES_MAX)


def test_the_source_has_a_limit() -> None:
    assert parse_template("a" * SOURCE_CHARS_MAX).nodes
    with pytest.raises(TemplateInvalid, match="longer than"):
        parse_template("a" * (SOURCE_CHARS_MAX + 1))


def test_characters_that_cannot_be_written_are_replaced() -> None:
    assert parse_template("a\ud800b").nodes == (Text("a\ufffdb"),)
