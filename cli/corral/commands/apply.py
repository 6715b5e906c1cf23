"""`apply`: a folder of Modelfiles, kept in version control, becomes the cluster's models."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from corral.apply.carrying import Applying, wanted_models
from corral.apply.discovery import Problem
from corral.apply.planning import Action, Step, ordered, plan
from corral.client import Client
from corral.commands.create import warn_of_deprecated
from corral.commands.parsers import Subparsers
from corral.errors import CliError
from corral.terminal import display

HELP: Final = """\
Modelfile.NAME or NAME.modelfile describes the model NAME:latest, Modelfile.NAME@TAG the model NAME:TAG, and one in a
folder TEAM the model TEAM/NAME. Models of the cluster that the folder does not describe are left alone."""

SIGNS: Final = {Action.CREATE: ("+", "green"), Action.CHANGE: ("~", "yellow"), Action.KEEP: ("=", "dim")}
DIFF_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def add_parsers(commands: Subparsers) -> None:
    applying = commands.add_parser(
        "apply", help="make the models that a folder of Modelfiles describes", description=HELP
    )
    applying.add_argument("folder", type=Path)
    applying.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would")
    applying.set_defaults(run=apply)


def apply(arguments: argparse.Namespace, client: Client) -> None:
    """Print the plan, then carry it out; nothing happens as long as one Modelfile is wrong."""
    cluster = Applying(client)
    with display() as shown:
        wanted, problems = wanted_models(arguments.folder, shown)
    for one in wanted:
        warn_of_deprecated(one.recipe)
    steps = plan(in_order := ordered(wanted), cluster.actual(in_order), cluster.bases(in_order))
    print_plan(Console(highlight=False), steps, problems)
    if problems:
        raise CliError(f"{counted(len(problems), 'Modelfile')} cannot be applied; nothing was changed")
    to_do = [step for step in steps if step.action is not Action.KEEP]
    if arguments.check and to_do:
        raise CliError(f"{counted(len(to_do), 'model')} would change")
    for step in to_do:
        print(f"\n{step.wanted.name.short}", file=sys.stderr)
        with display() as shown:
            cluster.carry_out(step, shown)


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def print_plan(console: Console, steps: Sequence[Step], problems: Iterable[Problem]) -> None:
    lines = [line for step in steps for line in step_lines(step)]
    lines += [Text(f"! {problem.where}: {problem.message}", "bold red") for problem in problems]
    for line in [*lines, Text(summary(steps))]:
        # Lines stay whole: a diff is read, and it is copied.
        console.print(line, soft_wrap=True)


def step_lines(step: Step) -> Iterator[Text]:
    sign, style = SIGNS[step.action]
    why = ": " + "; ".join(step.reasons) if step.reasons else ""
    yield Text(f"{sign} {step.wanted.name.short} ({step.wanted.where}) {step.action.value}{why}", style)
    for line in step.diff:
        yield Text(f"    {line}", DIFF_STYLES.get(line[:1], ""))


def summary(steps: Iterable[Step]) -> str:
    counts = Counter(step.action for step in steps)
    return f"{counts[Action.CREATE]} to create, {counts[Action.CHANGE]} to change, {counts[Action.KEEP]} unchanged"
