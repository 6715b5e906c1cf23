"""Examples of the Modelfile grammar and of every error it knows."""

import pytest

from corral.modelfile import Command, Modelfile, ModelfileInvalid, decode, parse, parse_commands

COMMAND_ERROR = (
    'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", '
    '"parameter", "message", or "requires"'
)


def commands(text: str) -> list[Command]:
    return list(parse_commands(text))


def error_of(text: str) -> str:
    with pytest.raises(ModelfileInvalid) as caught:
        parse(text)
    return str(caught.value)


def test_a_whole_file_becomes_a_typed_recipe() -> None:
    text = '''
# a support bot
FROM ./weights.gguf
PARAMETER temperature 0.2
PARAMETER num_ctx 8192
PARAMETER stop <|end|>
PARAMETER stop "\\n"
SYSTEM """
You help.
"""
MESSAGE user Hello there
MESSAGE assistant Hi.
LICENSE MIT
LICENSE Apache-2.0
REQUIRES v0.14.0
'''
    assert parse(text) == Modelfile(
        sources=("./weights.gguf",),
        system="\nYou help.\n",
        requires="0.14.0",
        licenses=("MIT", "Apache-2.0"),
        messages=(("user", "Hello there"), ("assistant", "Hi.")),
        parameters={"temperature": 0.2, "num_ctx": 8192, "stop": ["<|end|>", "\\n"]},
    )


def test_command_names_match_in_any_case_and_parameter_names_do_not() -> None:
    assert commands("FrOm llama") == [Command("from", "llama")]
    assert error_of("FROM x\nPARAMETER Temperature 1") == "unknown parameter 'Temperature'"


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
        ("SYSTEM 'single'", "'single'"),
        ('SYSTEM """a"""  ', "a"),
    ],
)
def test_quotes_run_over_lines_until_a_line_ends_with_them(text: str, value: str) -> None:
    assert commands(text) == [Command("system", value)]


def test_the_last_of_commands_that_count_once_wins() -> None:
    recipe = parse("FROM a\nSYSTEM one\nSYSTEM two\nTEMPLATE x\nTEMPLATE y\nADAPTER p\nADAPTER q")
    assert (recipe.system, recipe.template, recipe.adapter) == ("two", "y", "q")


def test_from_may_stand_anywhere_and_repeat() -> None:
    assert parse("SYSTEM x\nFROM model.gguf\nFROM projector.gguf").sources == ("model.gguf", "projector.gguf")


def test_invisible_characters_are_dropped() -> None:
    assert commands("SYSTEM a\u200bb\x07c\u00a0d") == [Command("system", "abcd")]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfFROM x", "FROM x".encode("utf-16"), b"FROM x"])
def test_byte_order_marks_are_understood(content: bytes) -> None:
    assert parse(decode(content)).sources == ("x",)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "SYSTEM hello"])
def test_a_file_without_from_is_refused(text: str) -> None:
    assert error_of(text) == "no FROM line"


@pytest.mark.parametrize(
    ("text", "line"),
    [("BOGUS x", 1), ("FROM a\nBOGUS x", 2), ("FROM a\r\nBOGUS x", 3), ("FR0M x", 1), ("FROM a\n\n\nwhat is\n", 4)],
)
def test_an_unknown_command_is_named_by_its_line(text: str, line: int) -> None:
    assert error_of(text) == f"(line {line}): {COMMAND_ERROR}"


def test_a_message_needs_a_known_role() -> None:
    expected = '(line 2): message role must be one of "system", "user", or "assistant"'
    assert error_of("FROM a\nMESSAGE wizard hello") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM", "unexpected EOF: FROM"),
        ("FROM ", "unexpected EOF"),
        ('FROM a\nSYSTEM "open', 'unexpected EOF: "open'),
        ('FROM a\nSYSTEM """open\nstill"', 'unexpected EOF: """open\nstill"'),
        ("FROM a\nPARAMETER num_ctx", "unexpected EOF: num_ctx"),
        ("FROM a\nPARAMETER num-ctx 5", "unexpected EOF: num"),
    ],
)
def test_what_is_cut_short_is_an_unexpected_end(text: str, message: str) -> None:
    assert error_of(text) == message


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("temperature warm", "invalid float value [warm]"),
        ("num_ctx 1.5", "invalid int value [1.5]"),
        ("use_mmap maybe", "invalid bool value [maybe]"),
        ("temperatur 1", "unknown parameter 'temperatur'"),
    ],
)
def test_parameters_are_typed(parameter: str, message: str) -> None:
    assert error_of(f"FROM a\nPARAMETER {parameter}") == message


def test_deprecated_parameters_are_named_and_left_out() -> None:
    recipe = parse("FROM a\nPARAMETER mirostat 1\nPARAMETER seed 7")
    assert (recipe.deprecated, recipe.parameters) == (("mirostat",), {"seed": 7})


def test_a_required_version_must_be_one() -> None:
    assert error_of("FROM a\nREQUIRES soon") == "requires must be a valid semver (e.g. 0.14.0)"
