"""What commands mean together: types, repetition, versions."""

import pytest

from corral.modelfile import Modelfile, ModelfileInvalid, parse


def error_of(text: str) -> str:
    with pytest.raises(ModelfileInvalid) as caught:
        parse(text)
    return str(caught.value)


def test_a_whole_file_becomes_a_typed_recipe() -> None:
    text = '''
# a support bot
FROM ./weights.gguf
DRAFT ./draft.gguf
RENDERER qwen3
PARSER qwen3
PARAMETER temperature 0.2
PARAMETER num_ctx 8192
PARAMETER stop <|end|>
PARAMETER stop "\\n"
PARAMETER use_mmap false
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
        drafts=("./draft.gguf",),
        renderer="qwen3",
        parser="qwen3",
        system="\nYou help.\n",
        requires="0.14.0",
        licenses=("MIT", "Apache-2.0"),
        messages=(("user", "Hello there"), ("assistant", "Hi.")),
        parameters={"temperature": 0.2, "num_ctx": 8192, "stop": ["<|end|>", "\\n"], "use_mmap": False},
    )


def test_the_last_of_commands_that_count_once_wins() -> None:
    recipe = parse(
        "FROM a\nSYSTEM one\nSYSTEM two\nTEMPLATE x\nTEMPLATE y\nADAPTER p\nADAPTER q\n"
        "PARAMETER seed 1\nPARAMETER seed 2"
    )
    assert (recipe.system, recipe.template, recipe.adapter) == ("two", "y", "q")
    assert recipe.parameters == {"seed": 2}


def test_from_may_stand_anywhere_and_repeat() -> None:
    assert parse("SYSTEM x\nFROM model.gguf\nFROM projector.gguf").sources == ("model.gguf", "projector.gguf")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "SYSTEM hello"])
def test_a_file_without_from_is_refused(text: str) -> None:
    assert error_of(text) == "no FROM line"


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("temperature warm", "invalid float value [warm]"),
        ("temperature nan", "invalid float value [nan]"),
        ("temperature 1_0", "invalid float value [1_0]"),
        ("temperature 1e39", "invalid float value [1e39]"),
        ("num_ctx 1.5", "invalid int value [1.5]"),
        ("num_ctx ٣", "invalid int value [٣]"),
        ("seed 9223372036854775808", "invalid int value [9223372036854775808]"),
        ("use_mmap maybe", "invalid bool value [maybe]"),
        ("temperatur 1", "unknown parameter 'temperatur'"),
        ("Temperature 1", "unknown parameter 'Temperature'"),
    ],
)
def test_parameters_are_typed(parameter: str, message: str) -> None:
    assert error_of(f"FROM a\nPARAMETER {parameter}") == message


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("temperature 1", 1.0),
        ("temperature .5", 0.5),
        ("temperature 3.", 3.0),
        ("top_p -1e-3", -0.001),
        ("seed -9223372036854775808", -(2**63)),
        ("top_k +40", 40),
        ("use_mmap T", True),
        ("use_mmap 0", False),
    ],
)
def test_numbers_and_truths_are_read_as_go_reads_them(parameter: str, value: object) -> None:
    assert parse(f"FROM a\nPARAMETER {parameter}").parameters == {parameter.partition(" ")[0]: value}


def test_deprecated_parameters_are_named_once_and_left_out() -> None:
    recipe = parse("FROM a\nPARAMETER mirostat 1\nPARAMETER seed 7\nPARAMETER mirostat 2")
    assert (recipe.deprecated, recipe.parameters) == (("mirostat",), {"seed": 7})


@pytest.mark.parametrize(
    ("text", "version"), [("v0.14.0", "0.14.0"), ("1", "1"), ("1.2", "1.2"), ("1.2.3-rc.1+b.01", "1.2.3-rc.1+b.01")]
)
def test_a_required_version_is_kept_without_its_v(text: str, version: str) -> None:
    assert parse(f"FROM a\nREQUIRES {text}").requires == version


def test_corrals_own_parameter_is_understood() -> None:
    assert parse("FROM a\nPARAMETER reproducible true").parameters == {"reproducible": True}


@pytest.mark.parametrize("text", ["soon", "01.2.3", "1.2-rc1", "1.2.3-01", "1.2.3-", "1.2.3.4", '""', "vv1.0.0"])
def test_a_required_version_must_be_one(text: str) -> None:
    assert error_of(f"FROM a\nREQUIRES {text}") == "requires must be a valid semver (e.g. 0.14.0)"
