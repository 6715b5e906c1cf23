"""Intervals that the clocks of several gateways can keep together."""

import pytest

from services.gateway.smoke.schedule import Moments, interval_problem, moments


def test_five_minutes_are_twelve_moments_of_an_hour() -> None:
    assert moments(300) == Moments(frozenset({0}), frozenset(range(0, 60, 5)))


def test_seconds_are_moments_of_every_minute() -> None:
    assert moments(20) == Moments(frozenset({0, 20, 40}))


@pytest.mark.parametrize("interval_s", [1, 15, 60, 120, 600, 1800, 3600])
def test_moments_lie_the_interval_apart_also_from_one_hour_to_the_next(interval_s: int) -> None:
    at = moments(interval_s)
    assert at is not None
    minutes = range(60) if at.minutes is None else at.minutes
    due = sorted(minute * 60 + second for minute in minutes for second in at.seconds)
    assert {later - earlier for earlier, later in zip(due, [*due[1:], due[0] + 3600], strict=True)} == {interval_s}


@pytest.mark.parametrize("interval_s", [-5, 7, 45, 90, 420, 3599])
def test_an_interval_that_no_clock_keeps_is_refused_with_the_reason(interval_s: int) -> None:
    assert moments(interval_s) is None
    assert "CORRAL_GATEWAY_SMOKE_INTERVAL_S" in (interval_problem(interval_s) or "")


def test_zero_is_never_and_no_problem() -> None:
    assert moments(0) is None
    assert interval_problem(0) is None
    assert interval_problem(300) is None
