"""What `kairos replay diff` prints: the counts, then some differences of each kind, each with what either side says and why.

The rule this module owns: what is cut short is said to be.
"""

from __future__ import annotations

from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli import lines
from streams.replay.archive import Note
from streams.replay.diff import CHANGES, KINDS, Difference, Found
from streams.replay.sides import Value

STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
PLURALS = {"person": "people", "stage": "stages", "segment": "segments", "moment": "moments"}
FIELDS_SHOWN = 3
FIELD_CHARACTERS = 60


def plain(note: Note, found: Found) -> dict[str, Any]:
    """All of it as JSON has it."""
    return {
        "name": note.plan.name,
        "vector": note.plan.outputs,
        "versions": {"live": note.plan.live, "shadow": note.plan.shadow},
        "counts": found.counts(),
        "reasons": found.reasons(),
        **msgspec.to_builtins(found),
    }


def show(console: Console, note: Note, found: Found, count: int) -> None:
    """For a person: `count` differences of each kind, 0: all."""
    if not found.differences:
        console.print(f"Replay {note.plan.name} differs in nothing: {_totals(found)}; {_digests(found)}.", soft_wrap=True)
    else:
        console.print(_counts(found))
        console.print(_listed(found, count))
    if found.rules:
        console.print(f"Rules that mean something else: {', '.join(found.rules)}.", soft_wrap=True)
    if found.policy:
        console.print("The identity policy is another.")
    if any(found.interactions.values()):
        live, shadow = found.interactions["live"], found.interactions["shadow"]
        console.print(f"Interactions that only one side holds: {live:,} live, {shadow:,} in the shadow.")
    if found.statuses["live"] != found.statuses["shadow"]:
        console.print(_verdicts(found))


def _digests(found: Found) -> str:
    live, shadow = found.digests["live"], found.digests["shadow"]
    return f"digest {live} on both sides" if live == shadow else f"but what is remembered does, digests {live} and {shadow}"


def _totals(found: Found) -> str:
    return ", ".join(f"{found.totals[kind]['live']:,} {PLURALS[kind]}" for kind in KINDS)


def _counts(found: Found) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "live", "shadow", *CHANGES, "why"):
        table.add_column(name, justify="left" if name in ("", "why") else "right")
    counts, reasons = found.counts(), found.reasons()
    for kind in KINDS:
        why = ", ".join(f"{reason} {number:,}" for reason, number in reasons[kind].items())
        numbers = [f"{found.totals[kind][side]:,}" for side in ("live", "shadow")] + [f"{counts[kind][change]:,}" for change in CHANGES]
        table.add_row(PLURALS[kind], *numbers, why)
    return table


def _listed(found: Found, count: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("change", "customer", "what", "live", "shadow", "why"):
        table.add_column(name, overflow="fold")
    for kind in KINDS:
        of_kind = [one for one in found.differences if one.kind == kind]
        for one in of_kind[: count or None]:
            change = Text(one.change, STYLES[one.change])
            what = kind if one.rule is None else f"{kind} {lines.clean(one.rule)}"
            table.add_row(change, lines.short(one.customer), what, _said(one, one.live), _said(one, one.shadow), ", ".join(one.why))
        if count and len(of_kind) > count:
            table.add_row("", "", f"and {len(of_kind) - count:,} more {PLURALS[kind]}", "", "", "")
    return table


def _said(one: Difference, value: Value | None) -> str:
    """What a side says, as short as it can be told; of a person what differs."""
    if value is None:
        return f"is {', '.join(map(lines.short, one.others))}" if one.others else "-"
    if one.kind == "person":
        shown = [f"{field}: {_field(field, value.get(field))}" for field in one.fields[:FIELDS_SHOWN]]
        more = len(one.fields) - FIELDS_SHOWN
        return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])]) or "there"
    told = {"stage": lines.move, "segment": _entered, "moment": _moment}[one.kind](value)
    return f"{lines.when(value['occurredAt'])} {told}"


def _field(name: str, part: Any) -> str:
    """A part of a profile, as short as a cell holds."""
    if name == "journeys" and part:
        return ", ".join(
            f"{lines.clean(journey)} {lines.clean(at['stage'])} since {lines.when(at['since'])}" for journey, at in part.items()
        )
    return lines.clean(str(part))[:FIELD_CHARACTERS]


def _entered(value: Value) -> str:
    return "entered" if value["entered"] else "left"


def _moment(value: Value) -> str:
    return f"{value['status']}: {lines.clean(value['explanation']['text'])}"


def _verdicts(found: Found) -> Table:
    """Moments by status on either side: verdicts are judged once, and hang on when something came."""
    table = Table(
        "moment",
        "status",
        "live",
        "shadow",
        box=SIMPLE_HEAD,
        pad_edge=False,
        title="Verdicts (outside the comparison)",
        title_justify="left",
    )
    for moment in sorted(found.statuses["live"].keys() | found.statuses["shadow"].keys()):
        live, shadow = (found.statuses[side].get(moment, {}) for side in ("live", "shadow"))
        for status in sorted(live.keys() | shadow.keys()):
            if live.get(status, 0) != shadow.get(status, 0):
                table.add_row(lines.clean(moment), status, f"{live.get(status, 0):,}", f"{shadow.get(status, 0):,}")
    return table
