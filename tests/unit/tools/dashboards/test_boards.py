"""The dashboards' JSON is what the Python says, and what Grafana can use."""

import json
import re
from typing import Any

import msgspec
import pytest

from source import ROOT
from tools.dashboards.__main__ import FOLDER, boards, text_of
from tools.dashboards.board import GRID_WIDTH, Board
from tools.dashboards.panels import DATASOURCE
from tools.dashboards.reading import Dashboard, read

GRAFANA = ROOT / "deploy" / "grafana"
PROVISIONING = GRAFANA / "provisioning"
EVERY_BOARD = pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
GUIDE = ROOT / "docs" / "monitoring.md"


def provisioned(path: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode((PROVISIONING / path).read_bytes())
    return found


def written(board: Board) -> Dashboard:
    return read(FOLDER / f"{board.name}.json")


@EVERY_BOARD
def test_the_json_is_what_the_python_writes(board: Board) -> None:
    assert (FOLDER / f"{board.name}.json").read_text(encoding="utf-8") == text_of(board), "run make dashboards"


def test_there_is_no_json_without_python() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {board.name for board in boards()}


def test_addresses_and_titles_are_told_apart() -> None:
    assert len({board.uid for board in boards()}) == len({board.title for board in boards()}) == len(boards())


@EVERY_BOARD
def test_panels_fill_the_grid_without_holes_or_overlaps(board: Board) -> None:
    taken = [
        (x, y)
        for panel in written(board).panels
        for x in range(panel.left, panel.left + panel.width)
        for y in range(panel.top, panel.top + panel.height)
    ]
    bottom = max(y for _, y in taken) + 1
    assert len(taken) == len(set(taken))
    assert set(taken) == {(x, y) for x in range(GRID_WIDTH) for y in range(bottom)}


@EVERY_BOARD
def test_every_panel_has_a_title_of_its_own_a_query_and_a_unit(board: Board) -> None:
    panels = [panel for panel in written(board).panels if panel.kind != "row"]
    assert len({panel.title for panel in panels}) == len(panels)
    assert [panel.title for panel in panels if not panel.targets] == []
    assert [panel.title for panel in panels if panel.kind != "heatmap" and not panel.field.get("unit")] == []


@EVERY_BOARD
def test_only_variables_that_a_reader_can_choose_are_asked_for(board: Board) -> None:
    dashboard = written(board)
    values = {choice.name: ".*" for choice in dashboard.choices} | {"__rate_interval": "1m"}
    assert all("$" not in target.filled(values) for panel in dashboard.panels for target in panel.targets)


@EVERY_BOARD
def test_several_series_of_a_chart_have_names(board: Board) -> None:
    charts = [panel for panel in written(board).panels if panel.kind == "timeseries"]
    assert [panel.title for panel in charts if any(not target.legend for target in panel.targets)] == []


def test_every_panel_asks_the_one_data_source() -> None:
    (source,) = provisioned("datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["uid"]) == (DATASOURCE.type_val, DATASOURCE.uid)
    scraped = msgspec.yaml.decode((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_bytes())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    for board in boards():
        panels = json.loads(text_of(board))["panels"]
        asked = {target["datasource"]["uid"] for panel in panels for target in panel.get("targets", ())}
        assert asked == {source["uid"]}


def test_dashboards_lie_where_grafana_looks_and_are_not_changed_there() -> None:
    (provider,) = provisioned("dashboards/corral.yaml")["providers"]
    assert provider["allowUiUpdates"] is False
    mounted = f"./{FOLDER.relative_to(ROOT)}:{provider['options']['path']}:ro"
    assert mounted in (ROOT / "compose.yaml").read_text(encoding="utf-8")


def test_every_alert_is_explained_on_a_panel_that_shows_what_it_watches() -> None:
    alerts = set(re.findall(r"^ +- alert: (\w+)$", (ROOT / "deploy/prometheus/alerts.yml").read_text(), re.MULTILINE))
    texts = "".join(text_of(board) for board in boards())
    explained = set(re.findall(r"\*\*(\w+)\*\* calls somebody", texts))
    assert alerts - explained == set()


def test_the_guide_names_every_dashboard() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [board.name for board in boards() if f"images/dashboard-{board.name}.png" not in guide] == []
