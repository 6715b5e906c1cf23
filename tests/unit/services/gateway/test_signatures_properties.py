"""Laws of signed calls: a signature opens one call, for a bounded time."""

import string

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.signatures import SKEW_S_MAX, age_problem, command_line_text

METHODS = st.text(string.ascii_uppercase, min_size=1, max_size=7)
PATHS = st.text(max_size=30).map(lambda rest: "/" + rest) | st.sampled_from(["/a,b", "/a?ts=1", "/a?ts=1?ts=2"])
SECONDS = st.integers(0, 10**12 - 1)
CALLS = st.tuples(METHODS, PATHS, SECONDS.map(str))


@given(CALLS, CALLS)
def test_calls_that_differ_are_signed_by_different_texts(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (command_line_text(*one) == command_line_text(*other)) is (one == other)


@given(SECONDS, st.integers(-2 * SKEW_S_MAX * 1000, 2 * SKEW_S_MAX * 1000))
def test_a_signature_is_good_from_the_allowed_skew_before_its_moment_to_as_long_after(ts: int, later_ms: int) -> None:
    is_good = age_problem(str(ts), now_unix_ms=ts * 1000 + later_ms) is None
    assert is_good is (abs(later_ms) <= SKEW_S_MAX * 1000)


@given(st.text(max_size=20), st.integers(0, 10**15))
def test_any_text_in_the_moments_place_is_judged(ts: str, now_unix_ms: int) -> None:
    problem = age_problem(ts, now_unix_ms=now_unix_ms)
    assert problem is None or problem.startswith("the signed request")
