"""What the latencies come to: a table for people, the same for docs/engine.md.

The rule this module owns: a share counts as kept only if outputs came as fast as interactions were sent.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.engine import document
from tests.bench.latency.hop import Stretch
from tests.bench.latency.stalls import Stalls

AIM_SHARE, AIM_P99_MS = 50, 20.0
KEPT_SHARE_MIN = 0.95
COLUMNS = ("share", "rate/s", "interactions", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "sender late ms", "CPU us each", "verdict")


class Found(msgspec.Struct, frozen=True):
    """All of a run."""

    greatest_per_second: float
    burst: int
    customers: int
    stretches: list[Stretch]
    machine: Stalls
    """Before anything was started."""


def table(found: Found) -> Table:
    """For the terminal."""
    made = Table(
        title=f"From an interaction to its committed output; 100% = {found.greatest_per_second:,.0f}/s, {found.customers:,} customers",
        caption=f"the machine, before: {found.machine}",
    )
    for name in COLUMNS:
        made.add_column(name, justify="right")
    for each in found.stretches:
        made.add_row(*_cells(each))
    return made


def document_lines(found: Found) -> str:
    """For the page."""
    return "\n".join([
        f"The greatest rate of sender, engine and reader together on this machine, an output for every interaction: {found.greatest_per_second:,.0f}/s "
        f"({found.burst:,} interactions of {found.customers:,} customers, 4 partitions, exactly once). The machine, before: {found.machine}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(_cells(each))} |" for each in found.stretches),
    ])  # fmt: skip


def document_figures(path: Path) -> None:
    """Make these the figures that docs/engine.md shows."""
    found = msgspec.json.decode(path.read_bytes(), type=Found)
    document.place("latency", document_lines(found), path)


def _cells(each: Stretch) -> tuple[str, ...]:
    figures = (each.p50_ms, each.p99_ms, each.p999_ms, each.most_ms, each.sender_late_ms)
    return (
        f"{each.share}%",
        f"{each.rate:,.0f}",
        f"{each.events:,}",
        *(f"{figure:.1f}" for figure in figures),
        f"{each.cpu_microseconds:.1f}",
        _verdict(each),
    )


def _verdict(each: Stretch) -> str:
    if each.per_second < KEPT_SHARE_MIN * each.rate:
        return f"not kept: {each.per_second:,.0f}/s"
    if each.share != AIM_SHARE:
        return ""
    return f"{'met' if each.p99_ms <= AIM_P99_MS else 'MISSED'}: p99 at most {AIM_P99_MS:g}"
