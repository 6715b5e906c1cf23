"""The findings as lines for people or as one JSON object."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from corral.doctor.findings import Finding, Level, counted

WIDTH: Final = 120
LEVEL_WIDTH: Final = max(map(len, Level)) + 2

Findings = Mapping[str, Finding]


def exit_code(findings: Findings) -> int:
    return int(any(finding.level is Level.PROBLEM for finding in findings.values()))


def lines(findings: Findings) -> Iterator[str]:
    """A line for each check, and below it what to do where something is to be done."""
    name_width = max(map(len, findings)) + 2
    for name, finding in findings.items():
        yield f"{finding.level:<{LEVEL_WIDTH}}{name:<{name_width}}{finding.what}"
        if finding.todo:
            indent = " " * (LEVEL_WIDTH + 2)
            # Commands stay whole, so that they can be copied.
            yield from textwrap.wrap(
                finding.todo, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
    yield ""
    yield summary(findings)


def summary(findings: Findings) -> str:
    counts = {level: sum(finding.level is level for finding in findings.values()) for level in Level}
    return (
        f"{counted(counts[Level.PROBLEM], 'problem')}, {counted(counts[Level.WARNING], 'warning')}, "
        f"{counts[Level.OK]} ok, {counts[Level.SKIPPED]} skipped"
    )


def document(url: str, findings: Findings) -> str:
    told = [
        {
            "check": name,
            "level": finding.level,
            "what": finding.what,
            **({"todo": finding.todo} if finding.todo else {}),
        }
        for name, finding in findings.items()
    ]
    return json.dumps({"cluster": url, "findings": told}, indent=2)
