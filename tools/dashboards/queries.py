"""The questions dashboards ask Prometheus, in PromQL. `$__rate_interval`, `$model` and `$instance` are Grafana's."""

from typing import Final, NamedTuple

RATE: Final = "$__rate_interval"
MODEL: Final = 'model=~"$model"'
INSTANCE: Final = 'instance=~"$instance"'
NOTHING: Final = "none"
"""What a chart names when nothing of what it counts has happened."""


class Query(NamedTuple):
    """One question, and how its series are called: a text with `{{label}}` in it."""

    expr: str
    legend: str


def or_zero(expr: str) -> str:
    """Zero where there is no series, because that means that nothing happened or nobody waits."""
    return f"{expr} or on() vector(0)"


def or_none(expr: str, label: str) -> str:
    """As `or_zero`, for series told apart by a label."""
    return f'{expr} or on() label_replace(vector(0), "{label}", "{NOTHING}", "", "")'


def rate(counter: str, *, by: str = "") -> str:
    """Per second, summed over replicas; `by` names the labels to keep."""
    return f"sum{f' by ({by})' if by else ''} (rate({counter}[{RATE}]))"


def mean(histogram: str, where: str, *, by: str) -> str:
    """What was measured in the last quarter of an hour was this large on average; for what seldom happens."""
    total, count = (f"sum by ({by}) (rate({histogram}_{part}{{{where}}}[15m]))" for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def happened(counter: str, *, by: str) -> Query:
    """How often each kind of event happened between two points of the chart; kinds that did not are left out."""
    return Query(or_none(f"sum by ({by}) (increase({counter}[{RATE}])) > 0", by), f"{{{{{by}}}}}")


def in_the_last(window: str, counter: str) -> str:
    """How often it happened in the time before now."""
    return or_zero(f"sum(increase({counter}[{window}]))")
