"""A dashboard as a picture: its panels in its own grid, each with what Prometheus answers. Like Grafana, without it."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import matplotlib as mpl

from tools.dashboards.board import GRID_WIDTH
from tools.dashboards.reading import Dashboard, Panel
from tools.dashboards.units import shown

WIDTH_INCHES: Final = 15.0
ROW_INCHES: Final = 0.37
HEAD_INCHES: Final = 0.55
DPI: Final = 88
GAP: Final = 0.12
"""Between panels, in cells of the grid."""

TICKS_S: Final = (10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
TICKS_COUNT_MAX: Final = 5
LABEL_SHARE: Final = 0.05
"""Nearer to its end than this part of an axis, a label would leave the card."""

BACKGROUND, CARD, EDGE, TEXT, FAINT = "#f4f5f5", "#ffffff", "#dfe1e5", "#24292e", "#8a8f98"
COLOURS: Final = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "orange": "#ff780a",
    "red": "#e02f44",
    "dark-red": "#ad0317",
    "blue": "#3274d9",
    "semi-dark-blue": "#3274d9",
    "transparent": "none",
}
PALETTE: Final = ("#3274d9", "#56a64b", "#ff780a", "#a352cc", "#e0b400", "#00a8a8", "#e02f44", "#705da0", "#7a8a99")


class Series(NamedTuple):
    """One line: its name, and its values at their times (Unix seconds); gaps are NaN."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


LEGEND_CHARACTERS: Final = 10
"""So many fit into the width of a cell; a series' mark takes the place of LEGEND_MARK of them."""
LEGEND_MARK: Final = 6

Answers = Mapping[str, Sequence[Series]]
"""What each panel shows, by its title."""


def draw(dashboard: Dashboard, answers: Answers, path: Path) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 — only after the backend without a screen is chosen

    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.color": TEXT, "axes.edgecolor": EDGE})
    rows_count = max(panel.top + panel.height for panel in dashboard.panels)
    height = rows_count * ROW_INCHES + HEAD_INCHES
    figure = plt.figure(figsize=(WIDTH_INCHES, height), facecolor=BACKGROUND)
    page = _Page(figure, height)
    figure.text(0.008, 1 - 0.33 / height, dashboard.title, fontsize=13, weight="bold", va="center")
    for panel in dashboard.panels:
        if panel.kind == "row":
            page.heading(panel)
        elif panel.kind == "stat":
            _number(page.card(panel), panel, answers[panel.title])
        elif panel.kind == "heatmap":
            _heat(page.chart(panel), answers[panel.title])
        else:
            _lines(page.chart(panel), panel, answers[panel.title])
    figure.savefig(path, dpi=DPI, facecolor=BACKGROUND)
    plt.close(figure)


class _Page:
    """The grid on the paper: one cell is a twenty-fourth of the width."""

    def __init__(self, figure: Any, height_inches: float) -> None:
        self._figure = figure
        self._height = height_inches

    def heading(self, panel: Panel) -> None:
        y = 1 - (HEAD_INCHES + (panel.top + 0.6) * ROW_INCHES) / self._height
        self._figure.text(0.01, y, panel.title, fontsize=9.5, weight="bold", color="#5b6068", va="center")

    def card(self, panel: Panel) -> Any:
        """The panel's frame and title; what is drawn on it has no axes."""
        left, bottom, width, height = self._box(panel)
        frame = self._figure.add_axes((left, bottom, width, height), facecolor=CARD)
        frame.set_xticks([])
        frame.set_yticks([])
        frame.text(
            0.08 / (width * WIDTH_INCHES), 1 - 0.16 / (height * self._height), panel.title,
            transform=frame.transAxes, fontsize=8.5, weight="bold", va="center",
        )  # fmt: skip
        return frame

    def chart(self, panel: Panel) -> Any:
        """Axes on the panel's card, with room for a legend below."""
        self.card(panel)
        left, bottom, width, height = self._box(panel)
        inches_x, inches_y = 1 / WIDTH_INCHES, 1 / self._height
        inside = (
            left + 0.72 * inches_x,
            bottom + 0.62 * inches_y,
            width - 0.86 * inches_x,
            height - 0.98 * inches_y,
        )
        axes = self._figure.add_axes(inside, facecolor=CARD)
        axes.tick_params(length=0, labelsize=7, labelcolor="#5b6068")
        for side in axes.spines.values():
            side.set_visible(False)
        axes.grid(visible=True, color="#eceef0", linewidth=0.7)
        axes.set_axisbelow(True)
        return axes

    def _box(self, panel: Panel) -> tuple[float, float, float, float]:
        cell_x, cell_y = 1 / GRID_WIDTH, ROW_INCHES / self._height
        bottom = 1 - HEAD_INCHES / self._height - (panel.top + panel.height) * cell_y
        return (
            (panel.left + GAP) * cell_x,
            bottom + GAP * cell_y,
            (panel.width - 2 * GAP) * cell_x,
            (panel.height - 2 * GAP) * cell_y,
        )


def _number(card: Any, panel: Panel, series: Sequence[Series]) -> None:
    """The last value in the colour of its threshold, over a sketch of its past."""
    past = [value for one in series for value in one.values if math.isfinite(value)]
    now = past[-1] if past else None
    mapped = (panel.field.get("mappings") or [{"options": {}}])[0]["options"]
    if now is None:
        text, colour = panel.field.get("noValue", "No data"), FAINT
    elif mapped:
        said = mapped[str(round(now))]
        text, colour = said["text"], COLOURS[said["color"]]
    else:
        now = round(now, panel.field.get("decimals")) if "decimals" in panel.field else now
        text, colour = shown(now, panel.field["unit"]), _colour_at(now, panel)
    card.text(
        0.5, 0.45, text, transform=card.transAxes, fontsize=20, weight="bold", color=colour, ha="center", va="center"
    )
    if past and not mapped:
        sketch = card.inset_axes((0, 0, 1, 0.26))
        sketch.fill_between(range(len(past)), past, color=colour, alpha=0.18, linewidth=0)
        sketch.plot(past, color=colour, linewidth=0.9)
        sketch.set_xlim(0, max(1, len(past) - 1))
        sketch.set_ylim(0, max(*past, 1e-9) * 1.15)
        sketch.axis("off")


def _colour_at(value: float, panel: Panel) -> str:
    steps = panel.field["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLOURS[reached[-1]]


def _lines(axes: Any, panel: Panel, series: Sequence[Series]) -> None:
    custom, unit = panel.field["custom"], panel.field["unit"]
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    colours = _colours(panel, series)
    if custom.get("drawStyle") == "bars":
        _bars(axes, series, colours)
    elif stacked and series:
        filled = [[value if math.isfinite(value) else 0.0 for value in one.values] for one in series]
        axes.stackplot(
            series[0].times, filled, labels=[one.name for one in series], colors=colours, alpha=0.55, linewidth=0
        )
    else:
        for one, colour in zip(series, colours, strict=True):
            axes.plot(one.times, one.values, color=colour, linewidth=1.3, label=one.name)
            axes.fill_between(one.times, one.values, color=colour, alpha=0.06, linewidth=0)
    _scale(axes, panel, unit)
    _legend(axes, panel.width)


def _bars(axes: Any, series: Sequence[Series], colours: Sequence[str]) -> None:
    """Stacked; what happened shortly before each point of the chart stands at it."""
    below: list[float] = []
    for one, colour in zip(series, colours, strict=True):
        heights = [round(value) if math.isfinite(value) else 0 for value in one.values]
        below = below or [0.0] * len(heights)
        width = (one.times[1] - one.times[0]) * 0.9
        label = one.name if any(heights) else "_"
        axes.bar(one.times, heights, bottom=below, width=width, color=colour, label=label, linewidth=0)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.yaxis.get_major_locator().set_params(integer=True)


def _scale(axes: Any, panel: Panel, unit: str) -> None:
    custom, field = panel.field["custom"], panel.field
    top = max(axes.get_ylim()[1], custom.get("axisSoftMax") or 0)
    axes.set_ylim(0, field.get("max") or top or 1)
    alarms = [step["value"] for step in field.get("thresholds", {}).get("steps", ()) if step["value"] is not None]
    if custom.get("thresholdsStyle", {}).get("mode") == "dashed":
        axes.set_ylim(0, max(axes.get_ylim()[1], *(alarm * 1.08 for alarm in alarms)))
        for alarm in alarms:
            axes.axhline(alarm, color=COLOURS["red"], linewidth=1, linestyle=(0, (5, 4)))
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, unit))
    if unit in ("bytes", "Bps"):
        axes.yaxis.set_ticks(_binary_ticks(axes.get_ylim()[1]))
    else:
        axes.locator_params(axis="y", nbins=5)
    _time_axis(axes)


def _binary_ticks(top: float) -> list[float]:
    """A few round numbers of bytes."""
    step = 2.0 ** math.ceil(math.log2(max(top, 1) / 5))
    return [step * index for index in range(math.floor(top / step) + 1)]


def _heat(axes: Any, series: Sequence[Series]) -> None:
    """Rows are buckets, named by their upper ends; Prometheus' are cumulative, these are not."""
    ordered = sorted(series, key=lambda one: float(one.name))
    rows, below = [], None
    for one in ordered:
        counts = [value if math.isfinite(value) else 0.0 for value in one.values]
        rows.append(counts if below is None else [max(0.0, a - b) for a, b in zip(counts, below, strict=True)])
        below = counts
    kept = [index for index, row in enumerate(rows) if any(row)]
    if not kept:
        return
    shown_rows = range(max(0, kept[0] - 1), kept[-1] + 1)
    cells = [[value if value > 0 else math.nan for value in rows[index]] for index in shown_rows]
    axes.pcolormesh(ordered[0].times, range(len(cells)), cells, cmap="Blues", vmin=-1, shading="nearest")
    ends = [float(ordered[index].name) for index in shown_rows]
    axes.set_yticks(range(len(cells)), [f"≤ {shown(end, 's')}" if math.isfinite(end) else "more" for end in ends])
    axes.grid(visible=False)
    _time_axis(axes)


def _colours(panel: Panel, series: Sequence[Series]) -> list[str]:
    """Those that the dashboard gives by name, and the palette's for the rest."""
    fixed = {one["matcher"]["options"]: COLOURS[one["properties"][0]["value"]["fixedColor"]] for one in panel.overrides}
    rest = iter(PALETTE * (1 + len(series) // len(PALETTE)))
    return [fixed[one.name] if one.name in fixed else next(rest) for one in series]


def _time_axis(axes: Any) -> None:
    """The clock, at a few round times."""
    axes.margins(x=0)
    began_s, ended_s = axes.get_xlim()
    step_s = next(step for step in TICKS_S if (ended_s - began_s) / step <= TICKS_COUNT_MAX)
    last_s = math.floor(ended_s - LABEL_SHARE * (ended_s - began_s))
    axes.set_xticks(range(math.ceil(began_s / step_s) * step_s, last_s + 1, step_s))
    axes.xaxis.set_major_formatter(lambda at, _: datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S"))


def _legend(axes: Any, width: int) -> None:
    """Below, in as many columns as the longest name leaves room for."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        longest = max(len(label) for label in labels) + LEGEND_MARK
        columns = min(len(labels), max(1, width * LEGEND_CHARACTERS // longest))
        axes.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(-0.09, -0.11), ncols=columns, frameon=False,
            fontsize=7, handlelength=1.2, columnspacing=1.2, handletextpad=0.5, borderaxespad=0,
        )  # fmt: skip
