"""What a check comes to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"  # nothing was found out; `what` says why


@dataclass(frozen=True)
class Finding:
    """`what` is so; `todo` is what to do about it, with the command or the setting."""

    level: Level
    what: str
    todo: str = ""


_BADNESS = (Level.SKIPPED, Level.OK, Level.WARNING, Level.PROBLEM)


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warning(what: str, todo: str) -> Finding:
    return Finding(Level.WARNING, what, todo)


def problem(what: str, todo: str) -> Finding:
    return Finding(Level.PROBLEM, what, todo)


def skipped(why: str) -> Finding:
    return Finding(Level.SKIPPED, why)


def counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def worst(findings: Iterable[Finding]) -> Finding:
    """One finding of several about the same: those of the highest level, told together."""
    found = list(findings)
    level = max((finding.level for finding in found), key=_BADNESS.index)
    same = [finding for finding in found if finding.level is level]
    todos = dict.fromkeys(finding.todo for finding in same if finding.todo)
    return Finding(level, "; ".join(finding.what for finding in same), " ".join(todos))
