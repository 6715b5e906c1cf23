"""One dashboard: its rows of panels, what may be chosen on it, and the way to the others."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.models.dashboard import Dashboard as BuiltDashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from tools.dashboards.panels import DATASOURCE

TAG: Final = "corral"
GRID_WIDTH: Final = 24

Panels = Sequence[Any]
"""Builders of panels. Their widths fill whole lines of the grid: the SDK begins a new line at its right edge only."""


class Choice(NamedTuple):
    """What a reader may narrow the panels down to: the values of a label."""

    label: str
    series: str


MODELS: Final = Choice("model", "corral_gateway_prompt_tokens_total")
WORKERS: Final = Choice("instance", 'up{job="worker"}')


class Board(NamedTuple):
    """`name` ends the uid and names the file: addresses that people keep must not change."""

    name: str
    title: str
    about: str
    rows: Sequence[tuple[str, Panels]]
    choices: Sequence[Choice] = ()

    @property
    def uid(self) -> str:
        return f"corral-{self.name}"


def built(board: Board) -> BuiltDashboard:
    """As Grafana reads it. It cannot be changed there: the next start would undo it."""
    dashboard = (
        Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-3h", "now")
        .refresh("30s")
        .link(_to_the_others())
        .variables([_variable(choice) for choice in board.choices])
    )
    for title, panels in board.rows:
        dashboard.with_row(Row(title))
        for panel in panels:
            dashboard.with_panel(panel)
    whole = dashboard.build()
    for number, panel in enumerate(whole.panels or (), start=1):
        panel.id_val = number
    return whole


def _to_the_others() -> DashboardLink:
    link = DashboardLink("").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(False)
    return link.keep_time(True).include_vars(True)


def _variable(choice: Choice) -> QueryVariable:
    return (
        QueryVariable(choice.label)
        .label(choice.label)
        .datasource(DATASOURCE)
        .query({"query": f"label_values({choice.series}, {choice.label})", "refId": choice.label})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(True, ["All"], ["$__all"]))
    )
