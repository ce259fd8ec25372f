"""Grafana's JSON of a board, through Grafana's own typed builders.

The rule this module owns: what a panel looks like is decided here once, so that all look alike; the same board gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.builders import common, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, Threshold, ThresholdsMode

from deploy.grafana.shapes import Board, Panel

SOURCE = DataSourceRef(type_val="prometheus", uid="kairos-prometheus")
"""deploy/grafana/provisioning names it so."""
WIDTH, GRAPH_HEIGHT, NUMBER_HEIGHT = 24, 8, 4
GOOD, BAD = "green", "red"

Builder = timeseries.Panel | stat.Panel


def document(board: Board) -> str:
    """The board as the file that Grafana loads."""
    built = grafana.Dashboard(board.title).uid(f"kairos-{board.name}").description(board.about).tags(["kairos"])
    built = built.time("now-1h", "now").refresh("10s").timezone("utc").readonly().tooltip(DashboardCursorSync.CROSSHAIR)
    number = 0
    for row in board.rows:
        number += 1
        built = built.with_row(grafana.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built = built.with_panel(_panel(panel, number, WIDTH // len(row.panels)))
    plain = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    return json.dumps(plain, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _panel(panel: Panel, number: int, width: int) -> Builder:
    made = _KINDS[panel.kind](panel).id(number).title(panel.title).description(panel.about).unit(panel.unit).datasource(SOURCE).span(width)
    for place, line in enumerate(panel.lines):
        query = Dataquery().expr(line.query).legend_format(line.legend).ref_id(chr(ord("A") + place)).datasource(SOURCE)
        made = made.with_target(query.instant() if panel.kind == "number" else query.range())
    if panel.most is not None:
        made = made.max(panel.most)
    if panel.limit is not None:
        steps = [Threshold(value=None, color=GOOD), Threshold(value=panel.limit, color=BAD)]
        made = made.thresholds(grafana.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return made


def _graph(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM).show_legend(True)
    made = timeseries.Panel().height(GRAPH_HEIGHT).min(0).fill_opacity(8).line_width(1).show_points(VisibilityMode.NEVER)
    made = made.legend(legend.calcs(["lastNotNull", "max"])).tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    if panel.limit is not None:
        made = made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE))
    return made


def _stacked(panel: Panel) -> timeseries.Panel:
    return _graph(panel).fill_opacity(30).stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def _number(panel: Panel) -> stat.Panel:
    return stat.Panel().height(NUMBER_HEIGHT).graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)


_KINDS: dict[str, Callable[[Panel], Any]] = {"graph": _graph, "stacked": _stacked, "number": _number}
