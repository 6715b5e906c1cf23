"""Every dashboard can be drawn, whatever Prometheus answers."""

import math
from pathlib import Path

import pytest

from tools.dashboards.__main__ import FOLDER
from tools.dashboards.drawing import Series, draw
from tools.dashboards.reading import Panel, read

TIMES = [1_800_000_000.0 + 10 * index for index in range(12)]


def busy(panel: Panel) -> list[Series]:
    names = ("0.1", "1.0", "+Inf") if panel.kind == "heatmap" else ("one", "two")
    return [
        Series(name, TIMES, [math.nan, *(float((index * place) % 2) for index in range(1, len(TIMES)))])
        for place, name in enumerate(names, start=1)
    ]


@pytest.mark.parametrize("answers", [busy, lambda _: []], ids=["busy", "empty"])
def test_a_dashboard_becomes_a_picture(tmp_path: Path, answers: object) -> None:
    assert callable(answers)
    dashboard = read(FOLDER / "queue.json")
    draw(dashboard, {panel.title: answers(panel) for panel in dashboard.panels}, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
