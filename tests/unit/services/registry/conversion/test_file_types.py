"""The types that a model may be quantized to."""

import pytest

from services.registry.conversion.file_types import TARGETS, target_named
from services.registry.gguf_types import FILE_TYPES


@pytest.mark.parametrize(
    ("text", "name"),
    [("q4_k_m", "Q4_K_M"), ("Q4_K", "Q4_K_M"), ("q4_k", "Q4_K_M"), ("bf16", "BF16"), ("Q8_0", "Q8_0"), ("f32", "F32")],
)
def test_types_are_named_in_any_case(text: str, name: str) -> None:
    assert target_named(text) == name


@pytest.mark.parametrize("text", ["", "Q4_0", "Q4_1", "q9", "Q4_K_L", "4"])
def test_other_names_are_no_types(text: str) -> None:
    assert target_named(text) is None


def test_the_numbers_are_those_that_files_carry() -> None:
    named = {name: number for name, number in TARGETS.items() if number}
    assert {FILE_TYPES[number]: number for number in named.values()} == named
