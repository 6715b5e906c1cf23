"""Laws of percentiles."""

from hypothesis import given
from hypothesis import strategies as st

from bench.stats import percentile

measurements = st.lists(st.floats(0, 1e6), min_size=1)
percents = st.floats(0, 100)


@given(measurements, percents)
def test_a_percentile_is_never_outside_what_was_measured(values: list[float], percent: float) -> None:
    slack = 1e-9 * max(values)
    assert min(values) - slack <= percentile(values, percent) <= max(values) + slack


@given(measurements, percents, percents)
def test_a_higher_percentile_is_never_smaller(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert percentile(values, low) <= percentile(values, high) + 1e-9 * max(values)


@given(measurements, percents)
def test_the_order_of_measurements_does_not_matter(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == percentile(values[::-1], percent)
