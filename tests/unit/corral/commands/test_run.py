"""How `corral run` makes its prompt and words its statistics."""

import pytest

from corral.commands.conversation import statistics
from corral.commands.run import format_field, joined_prompt
from corral.errors import CliError


@pytest.mark.parametrize(
    ("piped", "words", "prompt"),
    [
        ("", ["why", "is", "it"], "why is it"),
        ("a file\n", ["summarise"], "a file\n summarise"),
        ("only this", [], "only this"),
        ("", [], ""),
    ],
)
def test_what_is_piped_in_comes_before_the_arguments(piped: str, words: list[str], prompt: str) -> None:
    assert joined_prompt(piped, words) == prompt


def test_the_format_is_json_or_a_schema() -> None:
    assert format_field("json") == "json"
    assert format_field('{"type": "object"}') == {"type": "object"}
    with pytest.raises(CliError):
        format_field("yaml")


def test_statistics_leave_out_what_is_zero() -> None:
    final = {"total_duration": 4_600_000_000, "load_duration": 40_000_000, "eval_count": 180}
    final |= {"eval_duration": 4_200_000_000, "prompt_eval_count": 0}
    assert statistics(final).splitlines() == [
        "total duration:       4.6s",
        "load duration:        40ms",
        "eval count:           180 token(s)",
        "eval duration:        4.2s",
        "eval rate:            42.86 tokens/s",
    ]
