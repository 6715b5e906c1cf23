"""Go literals, written and read."""

import pytest

from shared.go_template.quoting import (
    character_of,
    quoted,
    quoted_character,
    to_bytes,
    to_text,
    unquoted,
    unquoted_character,
    whole,
)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", '""'),
        ("abc", '"abc"'),
        ('"', r'"\""'),
        ("'", '"\'"'),
        ("\\", r'"\\"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("é日☺", '"é日☺"'),
        ("\u200b\U000e0001", r'"\u200b\U000e0001"'),
        (to_text(b"\xff"), r'"\xff"'),
    ],
)
def test_a_text_is_quoted_and_read_again(text: str, literal: str) -> None:
    assert quoted(text) == literal
    assert unquoted(literal) == text


def test_quoting_may_keep_to_ascii() -> None:
    assert quoted("é日☺\U0001f600", ascii_only=True) == r'"\u00e9\u65e5\u263a\U0001f600"'


@pytest.mark.parametrize(
    ("code", "literal"),
    [(120, "'x'"), (39, r"'\''"), (34, "'\"'"), (10, r"'\n'"), (0x263A, "'☺'"), (0xD800, "'\ufffd'")],
)
def test_a_character_is_quoted(code: int, literal: str) -> None:
    assert quoted_character(code) == literal


@pytest.mark.parametrize("literal", [r'"\q"', r'"\ud800"', r'"\U00110000"', r'"\400"', r'"\'"', r'"\x4"'])
def test_escapes_that_mean_nothing_are_refused(literal: str) -> None:
    assert unquoted(literal) is None


@pytest.mark.parametrize("literal", ["''", "'ab'", r"'\"'", r"'\q'"])
def test_what_is_no_character_is_refused(literal: str) -> None:
    assert unquoted_character(literal) is None


def test_a_raw_string_drops_carriage_returns_only() -> None:
    assert unquoted('`a\\n\r\n"`') == 'a\\n\n"'


def test_numbers_that_are_no_character_are_replaced() -> None:
    assert [character_of(code) for code in (-1, 0xDC80, 0x110000)] == ["\ufffd"] * 3


def test_bytes_travel_as_text_and_come_whole_again() -> None:
    left, right = to_text("é".encode()[:1]), to_text("é".encode()[1:])
    assert whole(left + right) == "é"
    assert whole(left) == "\ufffd"
    assert to_bytes(left) == b"\xc3"


def test_lone_surrogates_that_are_no_bytes_are_replaced() -> None:
    assert whole("a\ud800\udc80") == "a\ufffd\ufffd"
    assert to_bytes("a\ud800") == "a\ufffd".encode()
