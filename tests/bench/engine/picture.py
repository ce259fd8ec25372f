"""The picture of the figures, as SVG: for each system a bar of events a second (the median, with a line from the least run to
the most) and the CPU of one event beside it.

The rule this module owns: it shows what the JSON says and nothing else. `python -m tests.bench.engine.picture JSON SVG` draws it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import orjson

WIDTH, LEFT, BAR, ROW, TOP = 960, 300, 400, 30, 84
OURS, OTHER, LIMIT, MUTED, INK = "#0b7285", "#adb5bd", "#dee2e6", "#868e96", "#212529"
_FONT = "font-family='Helvetica, Arial, sans-serif'"


def draw(figures: Path, picture: Path) -> None:
    """Read the JSON, write the SVG."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(svg(orjson.loads(figures.read_bytes())))


def svg(found: Mapping[str, Any]) -> str:
    """The picture of these figures."""
    rows = found["rows"]
    most = max((run["events_per_second"] for row in rows if not row["void"] for run in row["runs"]), default=1.0)
    machine = found["machine"]
    height = TOP + ROW * len(rows) + 44
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}' {_FONT} font-size='13'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(20, 30, "Events a second: the same work in one worker, or in two, on a real Kafka", INK, "font-size='18' font-weight='bold'"),
        _text(
            20,
            52,
            f"{found['events']:,} interactions of 400 bytes, {found['customers']:,} customers, {found['partitions']} partitions; "
            f"median of {found['rounds']} run{'s' if found['rounds'] != 1 else ''}, and the least and the most",
            MUTED,
        ),
        _text(LEFT + BAR + 90, TOP - 10, "CPU µs an event", MUTED, "text-anchor='middle' font-size='12'"),
        _text(LEFT + BAR + 190, TOP - 10, "resident MiB", MUTED, "text-anchor='middle' font-size='12'"),
    ]
    for number, row in enumerate(rows):
        parts += _bar(row, TOP + ROW * number, most)
    parts.append(
        _text(
            20,
            height - 16,
            f"{machine['processor']}, {machine['cores']} cores, broker on the same machine; load before a run {found['load']:.1f} (median)",
            MUTED,
            "font-size='12'",
        )
    )
    return "\n".join([*parts, "</svg>", ""])


def _bar(row: Mapping[str, Any], top: int, most: float) -> list[str]:
    ours = row["name"].startswith("engine-")
    weight = "font-weight='bold'" if ours else ""
    label = [
        _text(LEFT - 12, top + 14, row["label"], INK, f"text-anchor='end' {weight}"),
        _text(
            LEFT - 12,
            top + 26,
            row["guarantee"] + (f"; {row['events']:,} events" if row["is_small"] else ""),
            MUTED,
            "text-anchor='end' font-size='10'",
        ),
    ]
    if row["void"]:
        return [*label, _text(LEFT + 6, top + 18, "void: see the table", MUTED, "font-style='italic'")]
    wide = max(2.0, BAR * row["events_per_second"] / most)
    colour = OURS if ours else LIMIT if row["name"] == "limit" else OTHER
    least, greatest = (LEFT + BAR * pick(run["events_per_second"] for run in row["runs"]) / most for pick in (min, max))
    middle = top + ROW / 2 - 1
    is_wide = greatest - LEFT > BAR * 0.8
    place, anchor = (least - 8, "end") if is_wide else (greatest + 8, "start")
    return [
        *label,
        f"<rect x='{LEFT}' y='{top + 4}' width='{wide:.1f}' height='{ROW - 10}' rx='2' fill='{colour}'/>",
        f"<path d='M{least:.1f} {middle}H{greatest:.1f}M{least:.1f} {middle - 4}v8M{greatest:.1f} {middle - 4}v8' stroke='{INK}' fill='none'/>",
        _text(place, top + 19, f"{row['events_per_second']:,.0f}", INK, f"text-anchor='{anchor}' {weight}"),
        _text(LEFT + BAR + 90, top + 19, f"{row['cpu_microseconds']:.1f}", INK, f"text-anchor='middle' {weight}"),
        _text(LEFT + BAR + 190, top + 19, f"{row['memory_bytes'] / (1 << 20):,.0f}", INK, f"text-anchor='middle' {weight}"),
    ]


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' fill='{colour}' {more}>{escape(text)}</text>"


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
