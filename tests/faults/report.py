"""What the faults of a run come to: a table for people, the same for docs/engine.md.

The rule this module owns: a fault whose test failed is never shown as held.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.engine import document
from tests.faults.ledger import FAULTS, Entry

COLUMNS = ("fault", "times", "lost", "applied twice", "longest pause s", "tests", "at most")
BEGINS, ENDS = "<!-- faults: made by python -m tests.faults -->", "<!-- /faults -->"


class Found(msgspec.Struct, frozen=True):
    """All of a run, or of several that were added up."""

    processor: str
    cores: int
    passed: list[str]
    failed: list[str]
    minutes: float
    load: float
    """Of the machine, at most, before a run."""
    entries: list[Entry]


def table(found: Found) -> Table:
    """For the terminal."""
    made = Table(title="What was done to the engine, and what came of it", caption=_tests(found))
    for name in COLUMNS:
        made.add_column(name, justify="left" if name == COLUMNS[0] else "right")
    for cells in _rows(found):
        made.add_row(*cells)
    return made


def document_lines(found: Found) -> str:
    """For the page."""
    return "\n".join(
        [
            f"{_tests(found)} {found.processor}, {found.cores} cores; load of the machine before a run at most {found.load:.1f}.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|{'---|' * len(COLUMNS)}",
            *(f"| {' | '.join(cells)} |" for cells in _rows(found)),
        ]
    )


def document_figures(path: Path) -> None:
    """Make these the figures that docs/engine.md shows."""
    found = msgspec.json.decode(path.read_bytes(), type=Found)
    document.DOCS.joinpath("faults.json").write_bytes(path.read_bytes())
    page = document.DOCS / "engine.md"
    page.write_text(document.placed(page.read_text(), document_lines(found), BEGINS, ENDS))


def _tests(found: Found) -> str:
    said = f"{len(found.passed) + len(found.failed)} tests in {found.minutes:.0f} minutes, {len(found.failed)} failed"
    return f"{said}{': ' if found.failed else '.'}{', '.join(found.failed)}{'.' if found.failed else ''}"


def _rows(found: Found) -> list[tuple[str, ...]]:
    rows = []
    for fault, told in FAULTS.items():
        of_it = [entry for entry in found.entries if entry.fault == fault]
        rows.append((told, *_cells(of_it, found.failed)))
    return rows


def _cells(entries: Sequence[Entry], failed: Sequence[str]) -> tuple[str, ...]:
    if not entries:
        return ("0", "", "", "", "", "not run")
    tests = dict.fromkeys(entry.test.rsplit("/", 1)[-1] for entry in entries)
    pauses = [entry.pause_seconds for entry in entries if entry.pause_seconds is not None]
    figures: dict[str, float] = {}
    for entry in entries:
        for name, value in entry.figures.items():
            figures[name] = max(value, figures.get(name, value))
    failing = sorted(test for test in tests if test in failed)
    told = [f"{name} {value:.3g}" for name, value in figures.items()] + [f"FAILED: {test}" for test in failing]
    return (
        _times(entries),
        f"{sum(entry.lost for entry in entries)}",
        f"{sum(entry.twice for entry in entries)}",
        f"{max(pauses):.1f}" if pauses else "",
        f"{len(tests)}",
        ", ".join(told),
    )


def _times(entries: Sequence[Entry]) -> str:
    of_each: dict[str, int] = {}
    for entry in entries:
        of_each[entry.detail] = of_each.get(entry.detail, 0) + entry.times
    least = f", at {len(of_each)} places at least {min(of_each.values())} each" if len(of_each) > 1 else ""
    return f"{sum(of_each.values())}{least}"
