"""`python -m bench`: measure Corral beside llama.cpp's own server and write what was found."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec

from bench import load, peer, plot, report, servers
from bench.compare import Plan, measure
from bench.records import Results

RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--users", type=_numbers, default=[1, 4, 8], help="levels, such as 1,4,8")
    parser.add_argument("--rounds", type=int, default=8, help="turns each server gets at each level")
    parser.add_argument("--answers", type=int, default=2, help="answers each user gets in a turn")
    parser.add_argument("--tokens", type=int, default=96, help="longest answer")
    parser.add_argument("--context", type=int, default=2048, help="tokens of a slot")
    parser.add_argument("--latency-requests", type=int, default=60, help="short requests for the added latency")
    parser.add_argument("--no-defaults", action="store_true", help="leave out the peer with its own defaults")
    parser.add_argument("--quick", action="store_true", help="one short round: does everything work?")
    parser.add_argument("--name", default="local", help="what the folder of results is called after the date")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def plan_from(options: argparse.Namespace) -> Plan:
    quick = bool(options.quick)
    return Plan(
        users=options.users,
        rounds=1 if quick else options.rounds,
        answers=1 if quick else options.answers,
        tokens_max=32 if quick else options.tokens,
        context_tokens=options.context,
        latency_requests=30 if quick else options.latency_requests,
        with_defaults=not options.no_defaults,
        threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


def run(options: argparse.Namespace) -> None:
    binary = peer.ensure_peer(os.environ)
    date = datetime.now(tz=UTC).strftime("%Y-%m-%d")
    results = asyncio.run(ending_on_sigterm(measure(plan_from(options), binary, date=date, name=options.name)))
    folder = RESULTS / f"{date}-{options.name}"
    folder.mkdir(parents=True, exist_ok=True)
    text = report.page(results, own=servers.CORRAL)
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    (folder / "results.md").write_text(text, encoding="utf-8")
    plot.draw(results, folder / "results.png")
    print(f"\n{text}\nWritten to {folder}")


async def ending_on_sigterm(work: Coroutine[None, None, Results]) -> Results:
    """Whoever ends the benchmark ends its servers too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def main() -> int:
    failures: list[str] = []
    try:
        run(arguments())
    except* (KeyboardInterrupt, asyncio.CancelledError):
        failures = ["interrupted; nothing was written"]
    except* (peer.PeerUnavailable, servers.ServerFailed, load.AnswerFailed, aiohttp.ClientError) as group:
        failures = [str(failure) for failure in leaves(group)]
    for failure in failures:
        print(f"Error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The failures themselves, out of however many groups they are wrapped in."""
    found: list[Exception] = []
    for failure in group.exceptions:
        found += leaves(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found


if __name__ == "__main__":
    sys.exit(main())
