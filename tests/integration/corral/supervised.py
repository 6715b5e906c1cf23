"""Runs a supervisor over stand-ins until a signal, as `corral up` does; for tests that end the supervisor itself.

Usage: supervised.py FOLDER; the stages are read from FOLDER/stages.json.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from corral.up.command import supervise_until_signal
from corral.up.plan import Service
from corral.up.supervisor import Supervisor

folder = Path(sys.argv[1])
stages = tuple(
    tuple(Service(env=dict(os.environ), **{**service, "argv": tuple(service["argv"])}) for service in stage)
    for stage in json.loads((folder / "stages.json").read_text())
)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main() -> None:
    supervisor = Supervisor(stages, folder, say)
    await supervise_until_signal(supervisor, greet)


async def greet() -> None:
    say("greeting")


asyncio.run(main())
