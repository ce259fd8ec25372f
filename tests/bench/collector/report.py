"""What a measurement of the collector comes to: a table for people, JSON for machines.

The rule this module owns: a figure stands beside how busy the machine was; the greatest rate is that of client, collector and Kafka together, the cost is the
collector's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table

AIM_BATCH = 100
"""What is aimed at is said of batches of so many."""
AIM_ITEMS_A_CORE, AIM_P99_MS = 20_000, 25.0
KEPT_SHARE_MIN = 0.95
COLUMNS = (
    "batch",
    "items/s at most",
    "CPU us an item",
    "items/s a core",
    "then items/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "most ms",
    "memory MiB",
    "load",
)


class Stretch(msgspec.Struct, frozen=True):
    """So long at one rate."""

    items_per_second: float
    cpu_microseconds: float
    """Of the collector, an item."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float
    load: float
    """Of the machine in the minute before its end, processes that ran or wanted to."""


class Row(msgspec.Struct, frozen=True):
    """Batches of one size: as fast as it goes, then at half of that or at a rate that was asked for."""

    batch: int
    asked_per_second: float
    """Items a second that were to be sent then."""
    greatest: Stretch
    half: Stretch
    memory_bytes: int

    @property
    def items_a_core(self) -> float:
        """What one core would take if it did nothing else."""
        return 1e6 / self.greatest.cpu_microseconds

    def verdicts(self) -> list[str]:
        """Of batches of AIM_BATCH only."""
        if self.batch != AIM_BATCH:
            return []
        kept = self.half.items_per_second >= KEPT_SHARE_MIN * self.asked_per_second
        return [
            f"{'met' if self.items_a_core >= AIM_ITEMS_A_CORE else 'MISSED'}: at least {AIM_ITEMS_A_CORE:,} items/s a core",
            f"{'met' if self.half.p99_ms <= AIM_P99_MS else 'MISSED'}: p99 at most {AIM_P99_MS:g} ms at {self.asked_per_second:,.0f} items/s"
            if kept
            else f"not kept: {self.half.items_per_second:,.0f} items/s",
        ]


class Found(msgspec.Struct, frozen=True):
    """All of a run."""

    cores: int
    connections: int
    seconds: float
    rows: list[Row]


def percentile(took: Sequence[float], part: float) -> float:
    """Milliseconds within which that part was answered (nearest rank); of sorted seconds."""
    return took[min(len(took) - 1, int(len(took) * part))] * 1e3


def table(found: Found) -> Table:
    """For the terminal."""
    verdicts = [verdict for row in found.rows for verdict in row.verdicts()]
    title = f"The collector, {found.connections} connections, {found.cores} cores with client and Kafka on them"
    made = Table(title=title, caption="; ".join(verdicts) or None)
    for name in COLUMNS:
        made.add_column(name, justify="right")
    for row in found.rows:
        greatest, half = row.greatest, row.half
        made.add_row(
            str(row.batch),
            f"{greatest.items_per_second:,.0f}",
            f"{greatest.cpu_microseconds:.1f}",
            f"{row.items_a_core:,.0f}",
            f"{half.items_per_second:,.0f}",
            *(f"{each:.1f}" for each in (half.p50_ms, half.p99_ms, half.p999_ms, half.most_ms)),
            f"{row.memory_bytes / (1 << 20):.0f}",
            f"{max(greatest.load, half.load):.1f}",
        )
    return made
