"""Laws of the restart delays."""

from hypothesis import given
from hypothesis import strategies as st

from corral.up.restarts import DELAY_S_MAX, FIRST_DELAY_S, STABLE_S, quick_deaths, restart_delay_s


@given(st.integers(1, 10_000))
def test_delays_never_shrink_and_stay_within_their_limits(deaths: int) -> None:
    assert FIRST_DELAY_S <= restart_delay_s(deaths) <= restart_delay_s(deaths + 1) <= DELAY_S_MAX


def test_a_service_that_cannot_live_is_started_only_a_few_times_a_minute() -> None:
    starts, clock_s, deaths = 0, 0.0, 0
    while clock_s < 60:
        deaths = quick_deaths(deaths, lived_s=0)
        clock_s += restart_delay_s(deaths)
        starts += clock_s < 60
    assert starts <= 6


@given(st.integers(0, 1000), st.floats(0, 1e6))
def test_only_a_long_life_starts_the_count_anew(before: int, lived_s: float) -> None:
    assert quick_deaths(before, lived_s) == (1 if lived_s >= STABLE_S else before + 1)
