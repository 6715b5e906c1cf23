"""How a model's smokes are summed up in a line."""

from datetime import UTC, datetime, timedelta

import pytest

from corral.client import Json
from corral.commands.smoke import HEIGHTS, failure, percentile, row, spark

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def smoke(outcome: str = "ok", total_s: float = 1.0, *, minutes_ago: int = 0, **more: object) -> Json:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
    return {"at": at, "outcome": outcome, "total_s": total_s, **more}


def test_a_line_tells_the_last_result_the_usual_time_and_the_failures_of_those_tried() -> None:
    smokes = [smoke("ok", 0.2), smoke("failed"), smoke("skipped"), smoke("ok", 0.4), smoke("timeout", minutes_ago=3)]
    shown = row("tiny:latest", smokes, NOW)
    assert shown[:-1] == ("tiny:latest", "3 minutes ago", "timeout", "0.20 s", "0.40 s", "2 of 4")
    assert shown[-1] == "▄x.█x"


def test_a_model_that_was_never_tried_has_no_numbers() -> None:
    assert row("tiny:latest", [], NOW) == ("tiny:latest", "Never", "", "", "", "", "")


def test_a_model_that_never_went_well_has_no_usual_time() -> None:
    assert row("tiny:latest", [smoke("failed")], NOW)[3:] == ("", "", "1 of 1", "x")


@pytest.mark.parametrize(("share", "shown"), [(0.5, "50.00 s"), (0.95, "95.00 s"), (1.0, "100.00 s")])
def test_a_percentile_is_one_of_the_times_there_were(share: float, shown: str) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == shown


def test_one_time_is_every_percentile() -> None:
    assert percentile([0.3], 0.5) == percentile([0.3], 0.95) == "0.30 s"


def test_signs_are_as_high_as_it_took_long() -> None:
    assert spark([smoke(total_s=number) for number in range(1, 9)]) == HEIGHTS
    assert spark([smoke(total_s=0.0), smoke(total_s=60.0)]) == "▁█"
    assert spark([smoke(total_s=0.0)]) == "▁"


def test_a_failure_tells_its_worker_and_its_reason() -> None:
    assert failure(smoke("failed", worker="w1", error_code="internal"), NOW)[1:] == ("failed", "w1", "internal")
    assert failure(smoke("timeout", 60.0), NOW)[1:] == ("timeout", "nobody took it", "no end after 60 s")
