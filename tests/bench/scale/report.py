"""What the cases come to: a table for people, the same for docs/engine.md, and the aims.

The rule this module owns: aims compare cases of one run.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.engine import document
from tests.bench.scale.case import Case, Kept

COLUMNS = ("customers", "partitions", "workers", "events/s", "CPU us each", "memory MiB, of one", "restored s", "load before")
SLOWER_MAX, MEMORY_MAX_BYTES, PARTITIONS_MAX, WORKERS_MAX = 2.0, 1_500 << 20, 1.1, 1.1
_MEBIBYTE = 1 << 20


class Found(msgspec.Struct, frozen=True):
    """All of a run."""

    events: int
    cases: list[Kept]


def table(found: Found) -> Table:
    """For the terminal."""
    made = Table(title=f"{found.events:,} interactions, rows of 300 bytes, exactly once", caption="\n".join(aims(found)))
    for name in COLUMNS:
        made.add_column(name, justify="right")
    for each in found.cases:
        made.add_row(*_cells(each))
    return made


def aims(found: Found) -> list[str]:
    """What was hoped, in sentences; only of what was measured."""
    said, one = [], [kept for kept in found.cases if kept.case.workers == 1]
    base = next((kept for kept in found.cases if kept.case == Case(100_000, 4, 1)), None)
    growing = [kept for kept in one if kept.case.partitions == 4]
    if len(growing) > 1:
        slower = max(kept.per_second for kept in growing) / min(kept.per_second for kept in growing)
        said.append(f"slowest to fastest number of customers {slower:.2f}, hoped <= {SLOWER_MAX:g}: {_verdict(slower <= SLOWER_MAX)}")
        most = max(kept.memory_bytes for kept in found.cases)
        said.append(
            f"memory at most {most // _MEBIBYTE:,} MiB, hoped <= {MEMORY_MAX_BYTES // _MEBIBYTE:,}: {_verdict(most <= MEMORY_MAX_BYTES)}"
        )
    if base is None:
        return said
    for kept in found.cases:
        if kept.case.customers == base.case.customers and kept.case != base.case:
            cost, many = kept.cpu_microseconds / base.cpu_microseconds, kept.case.workers > 1
            what = f"{kept.case.workers} workers together" if many else f"{kept.case.partitions} partitions"
            limit = WORKERS_MAX if many else PARTITIONS_MAX
            said.append(
                f"CPU an event of {what} {cost:.2f} of that of one worker with 4, hoped <= {limit:g} (less is well): {_verdict(cost <= limit)}"
            )
    return said


def document_figures(path: Path) -> None:
    """Make these the figures that docs/engine.md shows."""
    found = msgspec.json.decode(path.read_bytes(), type=Found)
    document.place("scale", document_lines(found), path)


def document_lines(found: Found) -> str:
    """For the page."""
    return "\n".join([
        f"{found.events:,} interactions of any customer, rows of 300 bytes restored before, exactly once.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(_cells(each))} |" for each in found.cases),
        "",
        *(f"- {aim}" for aim in aims(found)),
    ])  # fmt: skip


def _cells(each: Kept) -> tuple[str, ...]:
    case = each.case
    return (
        f"{case.customers:,}",
        str(case.partitions),
        str(case.workers),
        f"{each.per_second:,.0f}",
        f"{each.cpu_microseconds:.1f}",
        f"{each.memory_bytes // _MEBIBYTE:,}",
        f"{each.restored_seconds:.1f}",
        f"{each.load:.1f}",
    )


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"
