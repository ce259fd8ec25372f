"""What is made from what the code knows: the page of the engine's metrics, and Grafana's dashboards.

The rule this module owns: what it writes is checked in, and a test fails where the files differ.
"""

from pathlib import Path

from deploy.grafana import building, customers, engine, flow, identity, moments
from streams.engine import metrics

BOARDS = (flow.BOARD, customers.BOARD, moments.BOARD, identity.BOARD, engine.BOARD)


def documents() -> dict[str, str]:
    """Every generated file: its path from the root of the repository, and its text."""
    boards = {f"deploy/grafana/dashboards/{board.name}.json": building.document(board) for board in BOARDS}
    return {"docs/engine-metrics.md": metrics.document(), **boards}


def write(directory: Path) -> list[Path]:
    """Write every generated file below a directory, and say where each lies."""
    paths = []
    for name, text in documents().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
