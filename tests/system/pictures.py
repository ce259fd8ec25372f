"""The panels of a dashboard, drawn about as Grafana would: to be looked at where there is no Grafana."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from deploy.grafana.loading import Shown

Line = tuple[dict[str, str], list[float], list[float]]
COLUMNS = 3
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def draw(panels: Sequence[Shown], ask: Callable[[str], list[Line]], directory: Path) -> list[Path]:
    """A picture of each board, from the answers to its queries."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for board, group in groupby(panels, key=lambda shown: shown.board):
        shown = list(group)
        rows = math.ceil(len(shown) / COLUMNS)
        figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(8 * COLUMNS, 3.4 * rows), squeeze=False)
        for place, cell in enumerate(axes.flat):
            if place < len(shown):
                _panel(cell, shown[place], ask)
            else:
                cell.set_axis_off()
        figure.tight_layout()
        path = directory / f"{board.removeprefix('kairos-')}.png"
        figure.savefig(path, dpi=70)
        pyplot.close(figure)
        drawn.append(path)
    return drawn


def _panel(cell: Axes, shown: Shown, ask: Callable[[str], list[Line]]) -> None:
    defaults: dict[str, Any] = shown.panel["fieldConfig"]["defaults"]
    lines = [(_named(legend, labels), times, values) for query, legend in shown.queries for labels, times, values in ask(query)]
    end = max((times[-1] for _, times, _ in lines), default=0.0)
    stacked = defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    if stacked and lines:
        moments = sorted({at for _, times, _ in lines for at in times})
        heights = [[dict(zip(times, values, strict=True)).get(at, 0.0) for at in moments] for _, times, values in lines]
        cell.stackplot([at - end for at in moments], heights, labels=[name for name, _, _ in lines], alpha=0.7)
    else:
        for name, times, values in lines:
            cell.plot([at - end for at in times], values, label=name)
    cell.set_title(shown.panel["title"], fontsize=11)
    cell.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, defaults["unit"])))
    cell.set_ylim(bottom=0, top=None if any(value > 0 for _, _, values in lines for value in values) else 1)
    cell.grid(alpha=0.3)
    if lines:
        cell.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.02), borderaxespad=0.2)


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)


def written(value: float, unit: str) -> str:
    """A value as Grafana writes it."""
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "bytes":
        power = 0 if value < 1 else min(len(_BYTES) - 1, int(math.log(value, 1024)))
        return f"{value / 1024**power:.3g} {_BYTES[power]}"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if 0 < value < 1 else f"{value:g} s"
    return f"{value:g}/s" if unit == "cps" else f"{value:g}"
