"""Queries as Grafana asks them."""

import pytest

from tools.dashboards.__main__ import FOLDER
from tools.dashboards.queries import happened, or_none, or_zero
from tools.dashboards.reading import Target, read


def test_variables_are_filled_in() -> None:
    target = Target('rate(x{model=~"$model"}[$__rate_interval])', "")
    assert target.filled({"model": "a|b", "__rate_interval": "1m"}) == 'rate(x{model=~"a|b"}[1m])'


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(KeyError):
        Target("x{a=$b}", "").filled({})


def test_a_series_is_named_by_its_labels() -> None:
    (chart,) = (panel for panel in read(FOLDER / "workers.json").panels if panel.title == "How long does a token take?")
    target = Target("x", "{{instance}} {{model}}")
    assert chart.name(target, {"instance": "w1", "model": "team/tiny:v1", "job": "worker"}) == "w1 team/tiny:v1"
    assert chart.name(target, {"instance": "w1", "model": "registry.ollama.ai/library/tiny:v1"}) == "w1 tiny:v1"
    assert chart.name(target, {"model": "tiny"}) == "tiny"


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (or_zero("max(x)"), "max(x)"),
        (or_none("sum by (a) (x) > 0", "a"), "sum by (a) (x) > 0"),
        (happened("x_total", by="a").expr, "sum by (a) (increase(x_total[$__rate_interval])) > 0"),
        ("x or y", "x or y"),
    ],
)
def test_the_zero_that_stands_for_nothing_can_be_told_from_the_question(expr: str, expected: str) -> None:
    assert Target(expr, "").expects_something == expected
