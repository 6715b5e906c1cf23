"""`smoke`: what came of the smoke generations that the cluster makes of every model in memory."""

import argparse
import math
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from corral.client import Client, Json
from corral.commands.parsers import Subparsers
from corral.format import parse_time, relative_time, table

SMOKE_HEADER: Final = ("NAME", "LAST", "RESULT", "P50", "P95", "FAILED", "LATELY")
FAILURE_HEADER: Final = ("WHEN", "RESULT", "WORKER", "ERROR")
LATELY_MAX: Final = 24
FAILURES_SHOWN_MAX: Final = 20
HEIGHTS: Final = "▁▂▃▄▅▆▇█"
FAILED: Final = ("failed", "timeout")
MARKS: Final = {"failed": "x", "timeout": "x", "skipped": "."}


def add_parsers(commands: Subparsers) -> None:
    smoking = commands.add_parser("smoke", help="show how models in memory answer the cluster's own short requests")
    smoking.add_argument("model", nargs="?", default="", help="only this one, and what went wrong with it")
    smoking.set_defaults(run=show_smokes)


def show_smokes(arguments: argparse.Namespace, client: Client) -> None:
    query = "?" + urllib.parse.urlencode({"model": arguments.model}) if arguments.model else ""
    models = client.call("GET", f"/api/smoke{query}")["models"]
    now = datetime.now(UTC)
    print(table([SMOKE_HEADER, *(row(one["model"], one["smokes"], now) for one in models)]))
    failures = [smoke for one in models for smoke in one["smokes"] if smoke["outcome"] in FAILED]
    if arguments.model and failures:
        print()
        print(table([FAILURE_HEADER, *(failure(smoke, now) for smoke in failures[-FAILURES_SHOWN_MAX:])]))


def row(model: str, smokes: Sequence[Json], now: datetime) -> tuple[str, ...]:
    """A model that was never tried has no numbers; the percentiles are of those that went well."""
    if not smokes:
        return (model, "Never", "", "", "", "", "")
    last, durations_s = smokes[-1], [smoke["total_s"] for smoke in smokes if smoke["outcome"] == "ok"]
    tried = [smoke for smoke in smokes if smoke["outcome"] != "skipped"]
    failed_count = sum(smoke["outcome"] in FAILED for smoke in tried)
    return (
        model,
        relative_time(parse_time(last["at"]), now),
        last["outcome"],
        percentile(durations_s, 0.5),
        percentile(durations_s, 0.95),
        f"{failed_count} of {len(tried)}",
        spark(smokes[-LATELY_MAX:]),
    )


def percentile(durations_s: Sequence[float], share: float) -> str:
    """The shortest that is not exceeded by so many of them; empty for none."""
    if not durations_s:
        return ""
    return f"{sorted(durations_s)[math.ceil(share * len(durations_s)) - 1]:.2f} s"


def spark(smokes: Sequence[Json]) -> str:
    """A sign for each: as high as it took long beside the longest, `x` for one that failed, `.` for one left out."""
    longest_s = max((smoke["total_s"] for smoke in smokes if smoke["outcome"] == "ok"), default=0.0)
    return "".join(MARKS.get(smoke["outcome"]) or _height(smoke["total_s"], longest_s) for smoke in smokes)


def _height(duration_s: float, longest_s: float) -> str:
    share = duration_s / longest_s if longest_s else 0.0
    return HEIGHTS[max(0, math.ceil(share * len(HEIGHTS)) - 1)]


def failure(smoke: Json, now: datetime) -> tuple[str, ...]:
    error = smoke.get("error_code") or f"no end after {smoke['total_s']:.0f} s"
    return (relative_time(parse_time(smoke["at"]), now), smoke["outcome"], smoke.get("worker", "nobody took it"), error)
