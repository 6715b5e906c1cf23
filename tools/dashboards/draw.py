"""Draw the dashboards over a cluster at work: `python -m tools.dashboards.draw [--minutes 3]`.

The pictures in docs/images come from here. Everything in them has happened on this machine: the cluster, Prometheus and
its exporters are those of the tests, and a small team works with it, stumbles and goes on.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from integration.monitoring.load import QUEUE_DEPTH_MAX, Team, a_day
from integration.monitoring.prometheus import Prometheus
from integration.monitoring.watched import watched_cluster
from tools.dashboards.__main__ import FOLDER
from tools.dashboards.drawing import Answers, Series, draw
from tools.dashboards.reading import ALL, Panel, read

IMAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
POINTS_COUNT: Final = 120
BASELINE_SAMPLES: Final = 30
"""A worker's own median needs an hour of work in the deployment; nobody waits that long for a picture."""


async def answers(prometheus: Prometheus, panels: tuple[Panel, ...], began_s: float, ended_s: float) -> Answers:
    step_s = max(2.0, round((ended_s - began_s) / POINTS_COUNT))
    times = [began_s + step_s * index for index in range(int((ended_s - began_s) / step_s) + 1)]
    values = {"__rate_interval": f"{max(4, round(step_s + 1))}s", "model": ALL, "instance": ALL}
    return {
        panel.title: [
            _series(panel.name(target, found["metric"]), found, times)
            for target in panel.targets
            for found in await prometheus.query_range(target.filled(values), began_s, ended_s, step_s)
        ]
        for panel in panels
    }


def _series(name: str, found: Mapping[str, Any], times: list[float]) -> Series:
    """Prometheus leaves out the times at which there was nothing; a picture shows them as gaps."""
    values = {round(at, 1): float(value) for at, value in found["values"]}
    return Series(name, times, [values.get(round(at, 1), float("nan")) for at in times])


async def picture_all(folder: Path, minutes: float) -> None:
    async with watched_cluster(
        folder,
        baseline_samples=BASELINE_SAMPLES,
        CORRAL_GATEWAY_QUEUE_DEPTH_MAX=str(QUEUE_DEPTH_MAX),
        CORRAL_GATEWAY_SMOKE_INTERVAL_S="10",
    ) as watched:
        began_s = float(round(time.time()))
        await a_day(Team(watched), ends_s=time.monotonic() + minutes * 60)
        ended_s = float(round(time.time()))
        for path in sorted(FOLDER.glob("*.json")):
            dashboard = read(path)
            found = await answers(watched.prometheus, dashboard.panels, began_s, ended_s)
            draw(dashboard, found, IMAGES / f"dashboard-{path.stem}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long the team works (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corral-pictures-") as folder:
        asyncio.run(picture_all(Path(folder), arguments.minutes))


if __name__ == "__main__":
    main()
