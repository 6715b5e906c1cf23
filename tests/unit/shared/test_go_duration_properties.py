"""Laws of Go's duration texts."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ParameterInvalid
from shared.go_duration import parse_duration_ns

UNITS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(sorted(UNITS))), min_size=1), st.booleans())
def test_a_duration_is_the_sum_of_its_terms(terms: list[tuple[int, str]], negative: bool) -> None:
    text = "".join(f"{count}{unit}" for count, unit in terms)
    total = sum(count * UNITS[unit] for count, unit in terms)
    assert parse_duration_ns(("-" if negative else "") + text) == (-total if negative else total)


@given(st.text(alphabet='0123456789.-+hmsuµn "\\x', max_size=40))
def test_any_text_is_a_duration_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(ParameterInvalid):
        assert abs(parse_duration_ns(text)) <= 1 << 63
