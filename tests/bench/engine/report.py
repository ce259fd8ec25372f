"""What the runs come to: a table for people, JSON for machines.

The rule this module owns: a system's figure is the median of its runs; one void run makes its row void.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import orjson
import psutil
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.bench.engine.load import PARTITIONS, Input
from tests.bench.engine.measure import Run
from tests.bench.engine.systems import System

AIMS = (
    ("events_per_second", "streams-exactly-once-large", ">=", 2.0),
    ("events_per_second", "streams-at-least-once-large", ">=", 1.3),
    ("cpu_microseconds", "streams-exactly-once-large", "<=", 0.4),
    ("events_per_second", "quix", ">=", 2.7),
    ("events_per_second", "faust", ">=", 27.0),
    ("events_per_second", "limit", ">=", 0.95),
)
"""This engine, exactly once, divided by the system, is hoped to be so much."""
VERDICTS = {True: "met", False: "MISSED", None: "not judged"}
AIMS_FROM = 1_000_000
"""Of fewer events the start is too much of a run for a verdict."""
PRINTED_WIDTH = 160
_FIGURES = ("events_per_second", "cpu_microseconds", "broker_cpu_microseconds", "memory_bytes")
_MEBIBYTE = 1 << 20


def wide() -> Console:
    """The terminal, or a page wide enough for a table."""
    console = Console()
    return console if console.is_terminal else Console(width=PRINTED_WIDTH)


def found(
    systems: Sequence[System],
    runs: Mapping[str, Sequence[Run]],
    versions: Mapping[str, str],
    missing: Mapping[str, str],
    full: Input,
    small: Input,
) -> dict[str, Any]:
    """All figures, by name."""
    rows = [_row(system, runs[system.name], versions.get(system.name, ""), missing.get(system.name), full, small) for system in systems]
    by_name = {row["name"]: row for row in rows}
    for system, row in zip(systems, rows, strict=True):
        ours = by_name.get(system.beside)
        counts = ours is not None and ours["void"] is None and row["void"] is None
        row["ratio"] = {figure: _divided(ours, row, figure) for figure in _FIGURES} if counts else None
    return {
        "events": full.events,
        "customers": full.customers,
        "small_events": small.events,
        "partitions": PARTITIONS,
        "rounds": max((len(row["runs"]) for row in rows), default=0),
        "load": median([run["load"] for row in rows for run in row["runs"]] or [0.0]),
        "rows": rows,
        "aims": [_aim(by_name, full.events, *aim) for aim in AIMS],
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "system": platform.system(),
            "python": platform.python_version(),
        },
    }


def write(figures: Mapping[str, Any], path: Path) -> None:
    """As JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")


def line(system: System, number: int, run: Run) -> str:
    """One run, as soon as it is over."""
    if run.void is not None:
        return f"{number + 1}  {system.name:<28} VOID: {run.void}"
    return (
        f"{number + 1}  {system.name:<28} {run.events_per_second:>9,.0f} events/s {run.cpu_microseconds:>7.1f} µs CPU "
        f"{run.memory_bytes / _MEBIBYTE:>6,.0f} MiB   load before {run.load:.1f}"
    )


def table(figures: Mapping[str, Any]) -> Group:
    """The figures for people."""
    machine = figures["machine"]
    shown = Table(
        title=f"{figures['events']:,} events of {figures['customers']:,} customers, {figures['partitions']} partitions, "
        f"median of {figures['rounds']} (least to most)",
        caption=f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; CPU of all threads of the system, "
        f"without the broker; load before a run {figures['load']:.1f} (median); ratio: this engine, exactly once, "
        "to the row, of two workers where the row is of two",
    )
    for name in ("system", "guarantee"):
        shown.add_column(name)
    for name in ("events/s", "", "CPU µs/event", "broker µs", "MiB", "ratio events/s", "ratio CPU"):
        shown.add_column(name, justify="right")
    for row in figures["rows"]:
        shown.add_row(*_cells(row))
    lines = [Text(f"  {row['label']} ({row['guarantee']}): {row['void']}") for row in figures["rows"] if row["void"]]
    versions = dict.fromkeys(f"  {row['label'].partition(',')[0]}: {row['versions']}" for row in figures["rows"] if row["versions"])
    aims = [Text("  " + told) for told in map(_told, figures["aims"]) if told]
    return Group(shown, *lines, Text("versions"), *map(Text, versions), Text("hoped of this engine, exactly once"), *aims)


def _row(system: System, runs: Sequence[Run], versions: str, missing: str | None, full: Input, small: Input) -> dict[str, Any]:
    void = missing or next((run.void for run in runs if run.void is not None), None if runs else "not measured")
    good = [run for run in runs if run.void is None]
    given = small if system.is_small else full
    return {
        "name": system.name,
        "label": system.label,
        "guarantee": system.guarantee,
        "events": given.events,
        "is_small": system.is_small,
        "checked": "outputs and states" if system.states else "outputs" if system.outputs else "count",
        "versions": versions,
        "void": void,
        "runs": [msgspec.to_builtins(run) for run in runs],
        **({figure: median(getattr(run, figure) for run in good) for figure in _FIGURES} if good and not void else {}),
    }


def _divided(ours: Mapping[str, Any] | None, row: Mapping[str, Any], figure: str) -> float | None:
    return ours[figure] / row[figure] if ours and row[figure] else None


def _aim(rows: Mapping[str, Mapping[str, Any]], events: int, figure: str, name: str, sign: str, hoped: float) -> dict[str, Any]:
    ratio = (rows[name]["ratio"] or {}).get(figure) if name in rows else None
    met = None if ratio is None or events < AIMS_FROM else ratio >= hoped if sign == ">=" else ratio <= hoped
    return {"figure": figure, "to": name, "hoped": f"{sign} {hoped}", "ratio": ratio, "met": met}


def _told(aim: Mapping[str, Any]) -> str | None:
    if aim["ratio"] is None:
        return None
    return f"{VERDICTS[aim['met']]:<10} {aim['figure']} to {aim['to']}: {aim['ratio']:.2f}, hoped {aim['hoped']}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    label = row["label"] + (f" ({row['events']:,} events)" if row["is_small"] else "")
    if row["void"]:
        return [label, row["guarantee"], "void", "", "", "", "", "", ""]
    each = [run["events_per_second"] for run in row["runs"]]
    ratio = row["ratio"]
    return [
        label,
        row["guarantee"],
        f"{row['events_per_second']:,.0f}",
        f"{min(each) / 1000:,.1f}k-{max(each) / 1000:,.1f}k",
        f"{row['cpu_microseconds']:.1f}",
        f"{row['broker_cpu_microseconds']:.1f}",
        f"{row['memory_bytes'] / _MEBIBYTE:,.0f}",
        f"{ratio['events_per_second']:.2f}" if ratio else "",
        f"{ratio['cpu_microseconds']:.2f}" if ratio else "",
    ]


def processor() -> str:
    """What the machine calls its processor."""
    told = Path("/proc/cpuinfo")
    for read in told.read_text().splitlines() if told.exists() else ():
        if read.startswith("model name"):
            return read.partition(":")[2].strip()
    return platform.processor() or platform.machine()
