"""Every panel of every dashboard is asked of a Prometheus that watches a cluster at work: none is empty or wrong."""

import contextlib
import math
import time
from pathlib import Path
from typing import NamedTuple

from fakes.polling import until
from integration.monitoring.load import QUEUE_DEPTH_MAX, Team, everything_happens
from integration.monitoring.prometheus import Prometheus
from integration.monitoring.watched import RATE_INTERVAL, SCRAPE_INTERVAL_S, watched_cluster
from tools.dashboards.__main__ import FOLDER
from tools.dashboards.reading import ALL, Dashboard, Target, read

BASELINE_SAMPLES = 10
"""A worker's own median is made of an hour of work in the deployment, and of ten seconds here."""

HEARD_WITHIN_S = 15
"""How long Prometheus may take to hear of what has happened and to reckon with it."""


class Question(NamedTuple):
    """What a panel asks, with the variables filled in as Grafana does while nothing is chosen."""

    dashboard: str
    panel: str
    expr: str


def questions(dashboard: Dashboard) -> list[Question]:
    """Without the zeros that stand for nothing: what panels count has really happened here."""
    values = {"__rate_interval": RATE_INTERVAL} | {choice.name: ALL for choice in dashboard.choices}
    return [
        Question(dashboard.title, panel.title, Target(target.expects_something, "").filled(values))
        for panel in dashboard.panels
        for target in panel.targets
    ]


async def has_answer(prometheus: Prometheus, question: Question, began_s: float) -> bool:
    """Whether there is a number at any time of the chart."""
    found = await prometheus.query_range(question.expr, began_s, time.time(), SCRAPE_INTERVAL_S)
    return any(math.isfinite(float(value)) for series in found for _, value in series["values"])


async def test_every_panel_and_every_choice_has_an_answer_from_a_cluster_at_work(tmp_path: Path) -> None:
    dashboards = [read(path) for path in sorted(FOLDER.glob("*.json"))]
    open_questions = [question for dashboard in dashboards for question in questions(dashboard)]
    assert open_questions
    began_s = time.time()
    async with watched_cluster(
        tmp_path,
        baseline_samples=BASELINE_SAMPLES,
        CORRAL_GATEWAY_QUEUE_DEPTH_MAX=str(QUEUE_DEPTH_MAX),
        CORRAL_GATEWAY_SMOKE_INTERVAL_S="1",
    ) as watched:
        await everything_happens(Team(watched))

        async def all_are_answered() -> bool:
            for question in list(open_questions):
                if await has_answer(watched.prometheus, question, began_s):
                    open_questions.remove(question)
            return not open_questions

        with contextlib.suppress(TimeoutError):
            await until(all_are_answered, within_s=HEARD_WITHIN_S)
        assert [f"{one.panel}: {one.expr}" for one in open_questions] == []
        for choice in {choice for dashboard in dashboards for choice in dashboard.choices}:
            assert await watched.prometheus.label_values(choice.series, choice.label), choice
