"""Modelfiles as they are printed."""

import pytest

from corral.modelfile import Modelfile, ModelfileInvalid, parse, print_modelfile
from corral.modelfile.grammar import Command
from corral.modelfile.printing import print_command


def test_instructions_come_in_a_fixed_order_in_their_plainest_form() -> None:
    recipe = parse(
        'MESSAGE user hi\nLICENSE """MIT\nand more"""\nPARAMETER stop "a b "\nPARAMETER seed 1\nPARAMETER stop "c"\n'
        'PARAMETER temperature 1\nSYSTEM """plain"""\nTEMPLATE "{{ .Prompt }}"\nRENDERER r\nPARSER p\nADAPTER ./a\n'
        "REQUIRES v1.0.0\nDRAFT d\nFROM base\nFROM ./projector.gguf\n"
    )
    assert print_modelfile(recipe) == (
        "FROM base\nFROM ./projector.gguf\nADAPTER ./a\nDRAFT d\nTEMPLATE {{ .Prompt }}\nSYSTEM plain\nRENDERER r\n"
        'PARSER p\nREQUIRES 1.0.0\nPARAMETER stop "a b "\nPARAMETER stop c\nPARAMETER seed 1\n'
        'PARAMETER temperature 1.0\nLICENSE "MIT\nand more"\nMESSAGE user hi\n'
    )


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("plain # text", "plain # text"),
        ("", '""'),
        (" spaced ", '" spaced "'),
        ("two\nlines", '"two\nlines"'),
        ('he said "hi"\nand left', '"""he said "hi"\nand left"""'),
        ('"quoted"', '""quoted""'),
        ('a "word"\n"', '"""a "word"\n""""'),
    ],
)
def test_a_text_is_printed_in_a_form_that_reads_back(value: str, form: str) -> None:
    assert print_command(Command("system", value)) == f"SYSTEM {form}"


@pytest.mark.parametrize("value", ['a line that ends in """ \nand is not the last', "a\u200bb"])
def test_a_text_that_no_parsed_modelfile_can_hold_cannot_be_written(value: str) -> None:
    with pytest.raises(ModelfileInvalid, match="cannot be written"):
        print_modelfile(Modelfile(sources=("a",), system=value))


def test_what_was_said_to_be_empty_stays_empty() -> None:
    assert parse(print_modelfile(parse('FROM ""\nSYSTEM ""\nPARAMETER stop ""\nMESSAGE user ""'))) == Modelfile(
        sources=("",), system="", parameters={"stop": [""]}, messages=(("user", ""),)
    )
