"""What the checked-in dashboards ask of Prometheus, read back from Grafana's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DIRECTORY = Path(__file__).parent / "dashboards"


class Shown(NamedTuple):
    """A panel as Grafana has it, and the dashboard that it is on."""

    board: str
    panel: dict[str, Any]

    @property
    def queries(self) -> list[tuple[str, str]]:
        """Query and legend of each of its lines."""
        return [(target["expr"], target["legendFormat"]) for target in self.panel["targets"]]


def panels() -> Iterator[Shown]:
    """Every panel of every dashboard."""
    for path in sorted(DIRECTORY.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        yield from (Shown(board["uid"], panel) for panel in board["panels"] if panel["type"] != "row")
