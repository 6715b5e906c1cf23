"""Laws of `printf`: no pattern fails, and plain verbs agree with how values print."""

from hypothesis import given
from hypothesis import strategies as st

from shared.go_template.printf import sprintf
from shared.go_template.values import text_of
from shared.template_budget import Budget

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
patterns = st.lists(
    st.sampled_from(["%", "[", "]", "*", ".", "1", "2", "9", "-", "+", "#", "0", " ", *"vTtbcdoqxXUeEfFgGspw", "é"]),
    max_size=12,
).map("".join)


@given(patterns, st.lists(values, max_size=3))
def test_any_pattern_gives_text_for_any_values(pattern: str, arguments: list[object]) -> None:
    assert isinstance(sprintf(pattern, arguments, Budget(steps_max=2**40, built_chars_max=2**40)), str)


@given(values)
def test_v_is_how_a_value_prints(value: object) -> None:
    assert sprintf("%v", [value]) == text_of(value)


@given(st.integers(-(10**9), 10**9), st.integers(0, 30))
def test_a_padded_number_is_as_wide_as_asked_and_means_the_same(number: int, width: int) -> None:
    for flag in ("", "0", "+", "+0"):
        text = sprintf(f"%{flag}{width}d", [number])
        assert len(text) >= width
        assert int(text) == number
    assert int(sprintf(f"%-{width}d", [number])) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_prints_so_that_it_can_be_read_again(value: float) -> None:
    assert float(sprintf("%v", [value])) == value
