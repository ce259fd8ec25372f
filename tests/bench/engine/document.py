"""docs/engine.md's table and docs/engine.svg, from docs/engine.json, which is a run that somebody chose to show.

The rule this module owns: no figure of that table is written by hand; a test compares. `make bench-engine ARGS=--docs` does it after a run, and
`python -m tests.bench.engine.document [JSON]` anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tests.bench.engine import picture
from tests.bench.engine.report import VERDICTS
from tests.bench.engine.systems import BUILT, ROOT

DOCS = ROOT / "docs"
BEGINS, ENDS = "<!-- figures: made by tests/bench/engine/document.py -->", "<!-- /figures -->"
_MEBIBYTE = 1 << 20
_FIGURES = {"events_per_second": "events/s", "cpu_microseconds": "CPU"}


def write(json: Path) -> None:
    """Make these figures the ones that are shown."""
    DOCS.joinpath("engine.json").write_bytes(json.read_bytes())
    figures = orjson.loads(json.read_bytes())
    picture.draw(json, DOCS / "engine.svg")
    page = DOCS / "engine.md"
    page.write_text(placed(page.read_text(), section(figures)))


def placed(page: str, made: str, begins: str = BEGINS, ends: str = ENDS) -> str:
    """The page with its figures replaced."""
    return re.sub(f"{re.escape(begins)}.*?{re.escape(ends)}", lambda _: f"{begins}\n{made}\n{ends}", page, flags=re.DOTALL)


def place(name: str, made: str, json: Path) -> None:
    """Make what another bench found the figures that are shown, between its own marks."""
    DOCS.joinpath(f"{name}.json").write_bytes(json.read_bytes())
    page = DOCS / "engine.md"
    page.write_text(placed(page.read_text(), made, *marks(name)))


def marks(name: str) -> tuple[str, str]:
    """Between these lines stand the figures of a bench that is not the main one."""
    return f"<!-- {name}: made by tests/bench/{name} -->", f"<!-- /{name} -->"


def section(figures: Mapping[str, Any]) -> str:
    """All that is said of the figures, in Markdown."""
    machine = figures["machine"]
    return "\n".join(
        [
            f"{figures['events']:,} interactions of {figures['customers']:,} customers, {figures['partitions']} partitions; "
            f"median of {figures['rounds']} runs, alternating. {machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_bytes'] >> 30} GiB, Python {machine['python']}; load of the machine before a run {figures['load']:.1f} (median).",
            "",
            "| system | guarantee | events/s | least to most | CPU µs/event | broker µs/event | MiB | this engine to it: events/s | CPU |",
            "|---|---|---|---|---|---|---|---|---|",
            *map(_row, figures["rows"]),
            "",
            "| hoped of this engine, exactly once, to | of | hoped | found |",
            "|---|---|---|---|",
            *(_aim(aim, figures) for aim in figures["aims"]),
            "",
            "Versions: " + "; ".join(dict.fromkeys(f"{row['versions']}" for row in figures["rows"] if row["versions"])) + ".",
        ]
    )


def _row(row: Mapping[str, Any]) -> str:
    label = row["label"] + (f" ({row['events']:,} events)" if row["is_small"] else "")
    if row["void"]:
        return f"| {label} | {row['guarantee']} | void: {row['void'].replace('|', '/')} | | | | | | |"
    each, ratio = [run["events_per_second"] for run in row["runs"]], row["ratio"]
    cells = [
        label,
        row["guarantee"],
        f"{row['events_per_second']:,.0f}",
        f"{min(each):,.0f}–{max(each):,.0f}",
        f"{row['cpu_microseconds']:.1f}",
        f"{row['broker_cpu_microseconds']:.1f}",
        f"{row['memory_bytes'] / _MEBIBYTE:,.0f}",
        *((f"{ratio['events_per_second']:.2f}", f"{ratio['cpu_microseconds']:.2f}") if ratio else ("", "")),
    ]
    return f"| {' | '.join(cells)} |"


def _aim(aim: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    row = next((row for row in figures["rows"] if row["name"] == aim["to"]), None)
    label = f"{row['label']}, {row['guarantee']}" if row else aim["to"]
    found = "not measured" if aim["ratio"] is None else f"{aim['ratio']:.2f}, {VERDICTS[aim['met']].lower()}"
    return f"| {label} | {_FIGURES[aim['figure']]} | {aim['hoped']} | {found} |"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT / "engine.json")
