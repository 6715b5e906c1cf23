"""The kinds of panel that the dashboards are made of, so that the same thing looks the same everywhere."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.heatmap import HeatmapColorOptions, YAxisConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from tools.dashboards.queries import NOTHING, Query
from tools.dashboards.runbook import runbook

DATASOURCE: Final = DataSourceRef("prometheus", "prometheus")
"""The uid is that of provisioning/datasources/prometheus.yaml."""

STAT_WIDTH: Final = 4
STAT_HEIGHT: Final = 4
CHART_WIDTH: Final = 8
CHART_HEIGHT: Final = 8

TOKENS_PER_S: Final = "suffix: tok/s"
DAYS: Final = "suffix: days"
WHOLE: Final = frozenset({"none", DAYS})
"""Units that are counted: Prometheus' estimates of them have fractions."""

TIMES: Final = "suffix: ×"

Steps = Sequence[tuple[float | None, str]]
"""Colours by the value from which they count; the first has none."""

SHORT_NAMES: Final = {"regex": r"(.*?)registry\.ollama\.ai/library/(.*)", "renamePattern": "$1$2"}
"""Models of Ollama's own library are called as people write them."""

P = TypeVar("P", stat.Panel, timeseries.Panel)

PLAIN: Final[Steps] = ((None, "blue"),)


def bad_from(value: float, *, doubtful_from: float | None = None) -> Steps:
    """Green, then yellow if asked for, and red from where an alert calls somebody."""
    doubtful = () if doubtful_from is None else ((doubtful_from, "yellow"),)
    return ((None, "green"), *doubtful, (value, "red"))


def bad_below(value: float, *, good_from: float) -> Steps:
    """Red below what an alert asks for, yellow near it."""
    doubtful = ((value, "yellow"),) if value < good_from else ()
    return ((None, "red"), *doubtful, (good_from, "green"))


def number(
    title: str, expr: str, *, unit: str = "none", steps: Steps = PLAIN, empty: str = "", alert: str = ""
) -> stat.Panel:
    """One number: the present, on a sketch of its past. `empty` stands there when there is nothing to tell."""
    panel = (
        stat.Panel()
        .title(title)
        .datasource(DATASOURCE)
        .span(STAT_WIDTH)
        .height(STAT_HEIGHT)
        .unit(unit)
        .thresholds(_thresholds(steps))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
        .with_target(_target(Query(expr, ""), "A"))
    )
    if unit in WHOLE:
        panel.decimals(0)
    if empty:
        panel.no_value(empty)
    return _described(panel, alert)


def yes_or_no(title: str, expr: str, *, alert: str = "") -> stat.Panel:
    """Whether all of something is well: 1 is yes."""
    said = {"0": ValueMappingResult("no", "red", index=0), "1": ValueMappingResult("yes", "green", index=1)}
    panel = number(title, expr, steps=((None, "red"), (1, "green")), empty="unknown", alert=alert)
    return panel.mappings([ValueMap(said)]).graph_mode(BigValueGraphMode.NONE).max(1)


def lines(
    title: str,
    *queries: Query,
    unit: str = "none",
    alarm: float | None = None,
    most: float | None = None,
    stacked: bool = False,
    colours: Mapping[str, str] | None = None,
    width: int = CHART_WIDTH,
    alert: str = "",
) -> timeseries.Panel:
    """Series over time, from zero. `alarm` is the value an alert calls at; `most` the largest there can be."""
    panel = _chart(title, queries, unit=unit, colours=colours or {}, width=width)
    panel.fill_opacity(35 if stacked else 8)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if most is not None:
        panel.max(most)
    if alarm is not None:
        panel.thresholds(_thresholds(((None, "transparent"), (alarm, "red"))))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
        panel.axis_soft_max(alarm)
    return _described(panel, alert)


def events(
    title: str, *queries: Query, colours: Mapping[str, str] | None = None, width: int = CHART_WIDTH, alert: str = ""
) -> timeseries.Panel:
    """Countable things that happened, as bars."""
    panel = _chart(title, queries, unit="none", colours={NOTHING: "transparent", **(colours or {})}, width=width)
    panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).decimals(0).axis_soft_max(1)
    panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return _described(panel, alert)


def heat(title: str, expr: str, *, unit: str, width: int = CHART_WIDTH) -> heatmap.Panel:
    """How many fell into which bucket of a histogram, over time."""
    target = _target(Query(expr, "{{le}}"), "A").format(PromQueryFormat.HEATMAP)
    colour = HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").fill("blue").exponent(0.5).steps(64)
    return (
        heatmap.Panel()
        .title(title)
        .datasource(DATASOURCE)
        .span(width)
        .height(CHART_HEIGHT)
        .calculate(False)
        .color(colour)
        .y_axis(YAxisConfig().unit(unit))
        .show_tooltip()
        .with_target(target)
    )


def _chart(
    title: str, queries: Sequence[Query], *, unit: str, colours: Mapping[str, str], width: int
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .datasource(DATASOURCE)
        .span(width)
        .height(CHART_HEIGHT)
        .unit(unit)
        .min(0)
        .line_width(1)
        .show_points(VisibilityMode.NEVER)
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    panel.with_transformation(DataTransformerConfig(id_val="renameByRegex", options=SHORT_NAMES))
    for place, query in enumerate(queries):
        panel.with_target(_target(query, chr(ord("A") + place)))
    for name, colour in colours.items():
        panel.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel


def _target(query: Query, ref_id: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .ref_id(ref_id)
        .expr(query.expr)
        .legend_format(query.legend)
        .range()
    )


def _thresholds(steps: Steps) -> ThresholdsConfig:
    wanted = [Threshold(value, colour) for value, colour in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(wanted)


def _described(panel: P, alert: str) -> P:
    return panel.description(runbook(alert)) if alert else panel
