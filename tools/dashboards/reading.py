"""Dashboards as Grafana reads them: the panels of the JSON, and their queries with the variables filled in."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

ALL: Final = ".*"
"""What the boards' variables stand for while a reader has chosen nothing."""

_VARIABLE: Final = re.compile(r"\$\{?(\w+)\}?")
_LABEL_VALUES: Final = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
_NOTHING: Final = re.compile(r" or on\(\) (?:vector\(0\)|label_replace\(vector\(0\), .*\))$")


class Target(NamedTuple):
    """One query of a panel; in `legend`, `{{label}}` stands for a series' label."""

    expr: str
    legend: str

    def filled(self, values: Mapping[str, str]) -> str:
        """The expression with the values of all its variables.

        Raises: KeyError for a variable that has none.
        """
        return _VARIABLE.sub(lambda found: values[found[1]], self.expr)

    @property
    def expects_something(self) -> str:
        """The expression without the zero that stands for nothing."""
        return _NOTHING.sub("", self.expr)


class Panel(NamedTuple):
    """`kind` is Grafana's: stat, timeseries, heatmap or row."""

    title: str
    kind: str
    left: int
    top: int
    width: int
    height: int
    targets: tuple[Target, ...]
    field: Mapping[str, Any]
    overrides: tuple[Mapping[str, Any], ...]
    renames: tuple[tuple[str, str], ...]

    def name(self, target: Target, labels: Mapping[str, str]) -> str:
        """What Grafana calls a series with these labels, after the panel's renaming by patterns."""
        name = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), target.legend).strip()
        for pattern, replacement in self.renames:
            name = re.sub(f"^{pattern}$", replacement, name)
        return name


class Choice(NamedTuple):
    """A variable of a dashboard: the values of a label of these series."""

    name: str
    series: str
    label: str


class Dashboard(NamedTuple):
    title: str
    uid: str
    panels: tuple[Panel, ...]
    choices: tuple[Choice, ...]


def read(path: Path) -> Dashboard:
    found = json.loads(path.read_text(encoding="utf-8"))
    choices = found.get("templating", {}).get("list", [])
    return Dashboard(
        title=found["title"],
        uid=found["uid"],
        panels=tuple(_panel(panel) for panel in found["panels"]),
        choices=tuple(_choice(choice) for choice in choices),
    )


def _panel(found: Mapping[str, Any]) -> Panel:
    place, field = found["gridPos"], found.get("fieldConfig", {})
    return Panel(
        title=found["title"],
        kind=found["type"],
        left=place["x"],
        top=place["y"],
        width=place["w"],
        height=place["h"],
        targets=tuple(Target(one["expr"], one["legendFormat"]) for one in found.get("targets", ())),
        field=field.get("defaults", {}),
        overrides=tuple(field.get("overrides", ())),
        renames=tuple(
            (one["options"]["regex"], re.sub(r"\$(\d)", r"\\\1", one["options"]["renamePattern"]))
            for one in found.get("transformations", ())
            if one["id"] == "renameByRegex"
        ),
    )


def _choice(found: Mapping[str, Any]) -> Choice:
    asked = _LABEL_VALUES.fullmatch(found["query"]["query"])
    assert asked is not None, found["query"]
    return Choice(found["name"], asked["series"], asked["label"])
