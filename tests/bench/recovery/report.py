"""What the recoveries come to: a table for people, the same for docs/engine.md."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.engine import document
from tests.bench.recovery.worker import Took

ROWS_PER_SECOND_MIN, ROWS_PER_SECOND_AIM = 300_000, 500_000
COLUMNS = ("round", "seconds", "rows/s", "CPU us/row", "of it the loop's", "memory MiB", "load before")


class Round(msgspec.Struct, frozen=True):
    """One recovery, and the machine's load before it, as the kernel averages it over a minute."""

    took: Took
    rows_per_second: float
    cpu_microseconds_per_row: float
    load: float


class Found(msgspec.Struct, frozen=True):
    """What is written."""

    processor: str
    rows: int
    keys: int
    partitions: int
    rows_per_second: float
    """The median."""
    rounds: list[Round]


def table(found: Found) -> Table:
    """For the terminal."""
    made = Table(title=_what(found), caption=verdict(found))
    for name in COLUMNS:
        made.add_column(name, justify="right")
    for cells in _lines(found):
        made.add_row(*cells)
    return made


def document_lines(found: Found) -> str:
    """For the page."""
    return "\n".join([
        f"{_what(found)}. {found.processor}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(cells)} |" for cells in _lines(found)),
        "",
        f"- {verdict(found)}",
    ])  # fmt: skip


def document_figures(path: Path) -> None:
    """Make these the figures that docs/engine.md shows."""
    document.place("recovery", document_lines(msgspec.json.decode(path.read_bytes(), type=Found)), path)


def verdict(found: Found) -> str:
    """The median beside what was wanted."""
    met = "met" if found.rows_per_second >= ROWS_PER_SECOND_MIN else "MISSED"
    return f"median {found.rows_per_second:,.0f} rows/s, wanted >= {ROWS_PER_SECOND_MIN:,}: {met}; hoped {ROWS_PER_SECOND_AIM:,}"


def _what(found: Found) -> str:
    return (
        f"Recovery of {found.rows:,} rows ({found.keys:,} keys, 300 bytes each) over {found.partitions} partitions from an empty directory"
    )


def _lines(found: Found) -> list[tuple[str, ...]]:
    lines = []
    for number, each in enumerate(found.rounds, 1):
        took, loop = each.took, each.took.loop_seconds / found.rows * 1e6
        figures = (f"{took.seconds:.2f}", f"{each.rows_per_second:,.0f}", f"{each.cpu_microseconds_per_row:.2f}", f"{loop:.2f}")
        lines.append((str(number), *figures, f"{took.memory_bytes >> 20:,}", f"{each.load:.1f}"))
    return lines
