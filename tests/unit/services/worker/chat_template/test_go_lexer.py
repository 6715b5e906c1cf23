"""Tokens: trim markers, comments, literals, and where white space matters."""

import pytest

from services.worker.chat_template.go_lexer import Kind, tokens
from shared.errors import ParameterInvalid


def texts(source: str) -> list[str]:
    return [token.value for token in tokens(source) if token.kind is Kind.TEXT]


def test_trim_markers_eat_all_white_space_beside_them() -> None:
    assert texts("a \n\t{{- .X -}} \r\n b") == ["a", "b"]


def test_a_trim_marker_needs_white_space_of_its_own() -> None:
    assert [(token.kind, token.value) for token in tokens("a {{-3}} b")][:3] == [
        (Kind.TEXT, "a "),
        (Kind.OPEN, "{{"),
        (Kind.NUMBER, "-3"),
    ]


def test_comments_vanish_and_may_trim() -> None:
    assert texts("a {{/* }} */}} b {{- /* two\nlines */ -}} c") == ["a ", " b", "c"]


def test_text_that_is_only_trimmed_white_space_is_no_token() -> None:
    assert texts("  {{- .X -}}  ") == []


@pytest.mark.parametrize(
    ("literal", "meaning"),
    [
        (r'"\u00e9\n\t\"\\"', 'é\n\t"\\'),
        (r'"\x41\101"', "AA"),
        (r'"\xc3\xa9"', "é"),
        (r'"\xff"', "\ufffd"),
        (r'"\U0001F600"', "\U0001f600"),
        ('`raw \\n "x"`', 'raw \\n "x"'),
        ("`two\nlines`", "two\nlines"),
    ],
)
def test_string_literals_mean_what_they_mean_in_go(literal: str, meaning: str) -> None:
    token = tokens("{{" + literal + "}}")[1]
    assert (token.kind, token.value) == (Kind.STRING, meaning)


def test_a_chain_of_fields_differs_from_two_operands_by_white_space() -> None:
    assert [token.spaced for token in tokens("{{.A.B .C}}")[1:4]] == [False, False, True]


def test_a_token_knows_its_line() -> None:
    assert [token.line for token in tokens("a\n{{/*\n*/}}{{ .X\n}}\n") if token.kind is Kind.FIELD] == [3]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ .X", "unclosed action"),
        ('{{ "a', "unterminated quoted string"),
        ('{{ "a\n" }}', "unterminated quoted string"),
        ("{{/* a", "unclosed comment"),
        ("{{/* a */ .X }}", "comment ends before closing delimiter"),
        (r'{{ "\q" }}', "invalid escape"),
        (r'{{ "\ud800" }}', "invalid escape"),
        ("a\nb{{ # }}", "line 2: unexpected '#'"),
        ("{{ 12ab }}", "unexpected '1'"),
    ],
)
def test_what_is_no_token_is_refused_with_a_reason(source: str, problem: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        tokens(source)
    assert problem in caught.value.message
