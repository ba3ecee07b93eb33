"""Panel: one Prometheus query with what to do about its result. Rows of panels make a dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 5
TAG = "spreader"

Unit = Literal["short", "s", "percentunit", "ops", "bytes", "none"]
Query = tuple[str, str]
"""A PromQL query, and the legend of its lines."""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    unit: Unit
    what_to_do: str
    queries: Sequence[Query]
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A panel with a single number, which is red from `bad` on."""

    title: str
    unit: Unit
    what_to_do: str
    query: str
    bad: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: Sequence[Panel | Figure]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. If `package` is true, the viewer chooses a package, which the queries name `$package`."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    package: bool = False


def build(board: Board) -> Dashboard:
    builder = dashboard.Dashboard(board.title).uid(board.uid).description(board.description).tags([TAG]).readonly()
    builder = builder.refresh("10s").time("now-1h", "now").timezone("browser").link(_others())
    if board.package:
        builder = builder.with_variable(_package())
    top, number = 0, 0
    for row in board.rows:
        builder = builder.with_row(dashboard.Row(row.title).grid_pos(GridPos(h=1, w=WIDTH, x=0, y=top)))
        top += 1
        width = WIDTH // len(row.panels)
        height = STAT_HEIGHT if all(isinstance(each, Figure) for each in row.panels) else HEIGHT
        for place, each in enumerate(row.panels):
            number += 1
            position = GridPos(h=height, w=width, x=place * width, y=top)
            builder = builder.with_panel(_built(each).id(number).grid_pos(position))
        top += height
    return builder.build()


def _built(panel: Panel | Figure) -> timeseries.Panel | stat.Panel:
    if isinstance(panel, Figure):
        last = common.ReduceDataOptions().calcs(["lastNotNull"])
        built = stat.Panel().reduce_options(last).thresholds(_thresholds(panel.bad))
        built = built.with_target(_target(panel.query, "", 0))
    else:
        built = timeseries.Panel().min(0).fill_opacity(20 if panel.stacked else 0).legend(_legend())
        if panel.stacked:
            built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        for place, (query, legend) in enumerate(panel.queries):
            built = built.with_target(_target(query, legend, place))
    return built.title(panel.title).unit(panel.unit).description(panel.what_to_do).datasource(SOURCE)


def _thresholds(bad: float | None) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green" if bad is not None else "text")]
    if bad is not None:
        steps.append(Threshold(value=bad, color="red"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True)
    return legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)


def _target(query: str, legend: str, place: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + place))
    return target.datasource(SOURCE)


def _others() -> dashboard.DashboardLink:
    return dashboard.DashboardLink("Spreader").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)


def _package() -> dashboard.QueryVariable:
    query = "label_values(spreader_package_profiles, package)"
    variable = dashboard.QueryVariable("package").label("Package").query(query).datasource(SOURCE)
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
