"""Fuzz the readers of foreign text and bytes: `python -m tools.fuzz [--minutes 10] [target ...]`.

Every target runs in a process of its own with limits on memory and on the time one input may take, as many at once as
there are cores. What breaks a reader is shown in its smallest form, and kept by hypothesis for the next test run.
"""

import argparse
import os
import resource
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Final

from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fuzz.targets import TARGETS, Target

MEMORY_BYTES_MAX: Final = 4 << 30
INPUT_S_MAX: Final = 5.0
BATCH_EXAMPLES: Final = 2_000


class TookTooLong(Exception):
    """One input kept its reader busy for longer than INPUT_S_MAX."""


def _too_long(_signal_number: int, _frame: FrameType | None) -> None:
    raise TookTooLong(f"no answer within {INPUT_S_MAX:g} s")


def fuzz(name: str, minutes: float) -> int:
    """Run one target for so long and say how many inputs it has survived.

    Raises: whatever an input led to.
    """
    target = next(target for target in TARGETS if target.name == name)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    signal.signal(signal.SIGALRM, _too_long)
    ends_s = time.monotonic() + minutes * 60
    inputs_count = 0
    while time.monotonic() < ends_s:
        inputs_count += _batch(target)
    return inputs_count


def _batch(target: Target) -> int:
    tried = 0

    @settings(max_examples=BATCH_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def survives(content: object) -> None:
        nonlocal tried
        tried += 1
        signal.setitimer(signal.ITIMER_REAL, INPUT_S_MAX)
        try:
            target.check(content)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    survives()
    return tried


def main() -> None:
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(names)}; all when left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long each target runs (default: 10)")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(names):
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    failed = False
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        running = {name: pool.submit(fuzz, name, arguments.minutes) for name in arguments.targets or names}
        for name, outcome in running.items():
            if (error := outcome.exception()) is not None:
                failed = True
                print(f"{name}: broken by {error!r}\n{''.join(error.__notes__)}", flush=True)
            else:
                print(f"{name}: survived {outcome.result():,} inputs in {arguments.minutes:g} minutes", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
