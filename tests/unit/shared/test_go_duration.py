"""Go's duration texts."""

import pytest

from shared.errors import ParameterInvalid
from shared.go_duration import parse_duration_ns

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "wanted_ns"),
    [
        ("0", 0),
        ("-0", 0),
        ("0s", 0),
        ("5m0s", 300 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("300ms", 300_000_000),
        ("1.5s", SECOND + SECOND // 2),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("+2us", 2_000),
        ("2µs", 2_000),
        ("-1m", -60 * SECOND),
        ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ("-9223372036854775808ns", -9_223_372_036_854_775_808),
        ("00000000000000000000001s", SECOND),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, wanted_ns: int) -> None:
    assert parse_duration_ns(text) == wanted_ns


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        ("abc", 'time: invalid duration "abc"'),
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ('5"', 'time: unknown unit "\\"" in duration "5\\""'),
        ("5é", 'time: unknown unit "\\xc3\\xa9" in duration "5\\xc3\\xa9"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("9" * 5000 + "h", f'time: invalid duration "{"9" * 5000}h"'),
    ],
)
def test_what_is_no_duration_is_refused_in_gos_words(text: str, error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_duration_ns(text)
    assert refused.value.message == error
