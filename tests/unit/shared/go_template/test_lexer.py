"""Tokens: where text ends, what white space separates, and that a fault ends the list without an exception."""

import pytest

from shared.go_template.lexer import Kind, tokens


def kinds(source: str) -> list[Kind]:
    return [token.kind for token in tokens(source)]


def test_text_and_actions_alternate() -> None:
    assert [(token.kind, token.value) for token in tokens("a{{.X}}b")] == [
        (Kind.TEXT, "a"),
        (Kind.OPEN, "{{"),
        (Kind.FIELD, ".X"),
        (Kind.CLOSE, "}}"),
        (Kind.TEXT, "b"),
        (Kind.END, ""),
    ]


def test_text_that_is_only_trimmed_white_space_is_no_token() -> None:
    assert Kind.TEXT not in kinds("  {{- .X -}}  ")


def test_a_comment_is_no_token() -> None:
    assert kinds("{{/* a */}}") == [Kind.END]


def test_a_chain_of_fields_differs_from_two_operands_by_white_space() -> None:
    assert [token.spaced for token in tokens("{{.A.B .C}}")[1:4]] == [False, False, True]


def test_a_token_knows_its_line_and_its_place() -> None:
    source = "a\n{{/*\n*/}}{{ .X\n}}\n"
    field = next(token for token in tokens(source) if token.kind is Kind.FIELD)
    assert (field.line, source[field.start : field.end]) == (3, ".X")


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        ('"a\\"b"', Kind.STRING),
        ("`a\nb`", Kind.STRING),
        ("'\\''", Kind.CHAR),
        ("0x_1p-4", Kind.NUMBER),
        ("-1.5e+3", Kind.NUMBER),
        (".5", Kind.NUMBER),
        ("-3.2i", Kind.NUMBER),
        ("$", Kind.VARIABLE),
        ("$été", Kind.VARIABLE),
        (".", Kind.DOT),
        ("_word1", Kind.WORD),
        (":=", Kind.DECLARE),
        ("%", Kind.PUNCTUATION),
    ],
)
def test_a_literal_is_one_token(literal: str, kind: Kind) -> None:
    assert [(token.kind, token.value) for token in tokens("{{ " + literal + " }}")[1:-2]] == [(kind, literal)]


def test_a_fault_is_the_last_token_and_tells_its_line() -> None:
    last = tokens("a\n{{ .X }}{{ .Y@ }} {{ .Z }}")[-1]
    assert (last.kind, last.value, last.line) == (Kind.ERROR, "bad character U+0040 '@'", 2)
