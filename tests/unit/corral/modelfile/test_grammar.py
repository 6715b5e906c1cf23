"""Examples of the Modelfile grammar and of every error it knows."""

import pytest

from corral.modelfile.grammar import Command, ModelfileInvalid, decode, parse_commands

COMMAND_ERROR = (
    'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", '
    '"parameter", "message", or "requires"'
)


def commands(text: str) -> list[Command]:
    return list(parse_commands(text))


def error_of(text: str) -> str:
    with pytest.raises(ModelfileInvalid) as caught:
        commands(text)
    return str(caught.value)


def test_command_names_match_in_any_case() -> None:
    assert commands("FrOm llama") == [Command("from", "llama")]


def test_a_bare_value_is_trimmed_and_keeps_inner_spaces_and_hash_signs() -> None:
    assert commands("SYSTEM \t a  b # c \n") == [Command("system", "a  b # c")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('SYSTEM "one\ntwo"', "one\ntwo"),
        ('SYSTEM """one\n"two" three"""', 'one\n"two" three'),
        ('SYSTEM """ spaced """', " spaced "),
        ('SYSTEM "he said "hi""', 'he said "hi"'),
        ('SYSTEM "a" b\nc"', 'a" b\nc'),
        ('SYSTEM ""', ""),
        ('SYSTEM """"""', ""),
        ('SYSTEM """"\na"""', '"\na'),
        ("SYSTEM 'single'", "'single'"),
        ('SYSTEM """a"""  ', "a"),
        ('SYSTEM """a\n\n  \n"""', "a\n\n  \n"),
        ('SYSTEM  "a  \r\n b"\t', "a  \r\n b"),
        ("SYSTEM ", ""),
        ("SYSTEM \t \n", ""),
    ],
)
def test_quotes_run_over_lines_until_a_line_ends_with_them(text: str, value: str) -> None:
    assert commands(text) == [Command("system", value)]


def test_a_value_ends_with_its_line_and_the_next_command_follows() -> None:
    text = 'SYSTEM """a\n"""\nPARAMETER  stop  x\nMESSAGE user ""\n'
    assert commands(text) == [
        Command("system", "a\n"),
        Command("parameter", "x", "stop"),
        Command("message", "", "user"),
    ]


def test_invisible_characters_are_dropped_from_values_and_before_a_name() -> None:
    assert commands("SYSTEM a\u200bb\x07c\u00a0d") == [Command("system", "abcd")]
    assert commands("\u200bSYSTEM a") == [Command("system", "a")]


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfFROM x", "FROM x".encode("utf-16"), b"\xfe\xff\x00F\x00R\x00O\x00M\x00 \x00x"]
)
def test_byte_order_marks_are_understood(content: bytes) -> None:
    assert commands(decode(content)) == [Command("from", "x")]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert commands(decode(b"SYSTEM a\xffb")) == [Command("system", "a\ufffdb")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("BOGUS x", 1),
        ("FROM a\nBOGUS x", 2),
        ("FROM a\r\nBOGUS x", 3),
        ("FR0M x", 1),
        ("FR\u200bOM x", 1),
        ("FROM a\n\n\nwhat is\n", 4),
        ("FROM\nx", 2),
        ("5\nFROM x", 2),
        ('SYSTEM "a\nb"\nBOGUS x', 3),
    ],
)
def test_an_unknown_command_is_named_by_its_line(text: str, line: int) -> None:
    assert error_of(text) == f"(line {line}): {COMMAND_ERROR}"


@pytest.mark.parametrize("role", ["wizard", "User", ""])
def test_a_message_needs_a_known_role(role: str) -> None:
    expected = '(line 2): message role must be one of "system", "user", or "assistant"'
    assert error_of(f"FROM a\nMESSAGE {role} hello" if role else "FROM a\nMESSAGE hello there") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM", "unexpected EOF"),
        ('SYSTEM "open', "unexpected EOF"),
        ('SYSTEM """open\nstill"', "unexpected EOF"),
        ('SYSTEM """', "unexpected EOF"),
        ("PARAMETER num_ctx", "unexpected EOF"),
        ("PARAMETER num_ctx\nFROM a", "unexpected EOF: num_ctx"),
        ("PARAMETER num-ctx 5", "unexpected EOF: num"),
        ("MESSAGE user\nFROM a", "unexpected EOF: user"),
    ],
)
def test_what_is_cut_short_is_an_unexpected_end(text: str, message: str) -> None:
    assert error_of(text) == message


def test_a_long_text_is_read_in_time_that_grows_with_its_length() -> None:
    text = "a line of a licence\n" * 100_000
    assert commands(f'LICENSE """{text}"""') == [Command("license", text)]
