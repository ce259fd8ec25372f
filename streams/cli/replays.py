"""How the record of a replay reads: a few lines for one, a table for all.

The rule this module owns: it says what was planned and what became of it, as the record has it, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams import instants
from streams.cli import lines
from streams.replay import archive
from streams.replay.archive import Note
from streams.replay.plan import Plan, Scope, changed

STATE_STYLES = {"planned": "cyan", "running": "bold green", "stopped": "yellow", "done": "green", "cleaned": "dim"}


def state(note: Note, data_directory: Path) -> str:
    """Its state, where it is being run that."""
    return "running" if note.state == "stopped" and archive.is_running(data_directory, note.plan.name) else note.state


def show(console: Console, note: Note, data_directory: Path) -> None:
    """One replay in full."""
    plan = note.plan
    now = state(note, data_directory)
    text = Text.assemble(
        (plan.name, lines.STYLE_NAME), "  ", (now, STATE_STYLES[now]), (f"  planned {note.at} by {note.by}", lines.STYLE_QUIET)
    )
    text.append(f": {lines.clean(note.why)}\n" if note.why else "\n")
    for name, said in _facts(note).items():
        text.append(f"  {name:<10}", lines.STYLE_QUIET).append(f"{lines.clean(said)}\n")
    text.append(f"  {_next(now, plan.name, bool(plan.repairs) and note.promoted is None)}", lines.STYLE_QUIET)
    console.print(text, soft_wrap=True)


def show_all(console: Console, notes: Sequence[Note], data_directory: Path) -> None:
    """All replays, a row each, the newest first."""
    if not notes:
        console.print("There is no replay here; `kairos replay plan` makes one.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("replay", "state", "planned", "by", "fed", "runs", "why"):
        table.add_column(name, overflow="fold")
    for note in notes:
        now = state(note, data_directory)
        cells = (note.plan.name, Text(now, STATE_STYLES[now]), lines.when(note.at), note.by)
        table.add_row(*cells, share(note), str(len(note.runs)), lines.clean(note.why))
    console.print(table)


def share(note: Note) -> str:
    """How much of what is to be fed was."""
    whole = note.plan.offsets()
    return f"{note.fed:,} of {whole:,}" if whole else "nothing to feed"


def _facts(note: Note) -> dict[str, str]:
    plan = note.plan
    found = {
        "of": f"{plan.app_id}, {plan.partitions} partitions, {plan.clock} clock"
        + (f", until {instants.text(plan.until)}" if plan.until else ""),
        "scope": scope(plan.scope),
        "rules": _rules(plan),
        "policy": "another" if plan.live.policy != plan.shadow.policy else "the live one",
        "fed": share(note) + " offsets" + _counts({name: count for name, count in note.counts.items() if count}, ": "),
        "mended": _counts(note.repaired) + _counts(note.left, "; left: ") if plan.repairs else "",
        "put back": _put_back(note),
        "in flight": f"{plan.in_flight:,} records were still to be done live when the offsets were noted" if plan.in_flight else "",
        "shadow": f"topics {plan.own.topic_prefix}*, group {plan.own.app_id}",
    }
    for number, ran in enumerate(note.runs, 1):
        found[f"run {number}"] = f"{ran.at} to {ran.ended or '...'} by {ran.by}: {ran.outcome or 'no end was written'}"
    return {name: said for name, said in found.items() if said}


def scope(wanted: Scope) -> str:
    """A scope in words."""
    said = []
    for what, begin, end in (
        ("occurred", wanted.occurred_from, wanted.occurred_to),
        ("arrived", wanted.arrived_from, wanted.arrived_to),
    ):
        said += [f"{what} from {instants.text(begin)}"] if begin is not None else []
        said += [f"{what} before {instants.text(end)}"] if end is not None else []
    said += [f"offsets {begin}-{end} of partition {partition}" for partition, (begin, end) in sorted(wanted.offsets.items())]
    said += [f"from {', '.join(wanted.sources)}"] if wanted.sources else []
    said += ["dead letters only"] if wanted.only_dead_letters else []
    return "; ".join(said) or "all that the topic holds"


def _rules(plan: Plan) -> str:
    names = ", ".join(Path(one).name for one in plan.shadow.journeys)
    others = sorted(changed(plan.live, plan.shadow))
    return f"{names}: other than live: {', '.join(others)}" if others else f"{names}: the live ones"


def _counts(counts: Mapping[str, int], before: str = "") -> str:
    said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
    return f"{before}{said}" if said else ""


def _put_back(note: Note) -> str:
    if note.promoted is None:
        return ""
    done = note.promoted
    return f"{done.count:,} interactions at {done.at} by {done.by}" + _counts(done.refused, "; refused again: ")


def _next(now: str, name: str, has_mended: bool) -> str:
    promote = f"`kairos replay promote {name}` puts what is mended back, " if has_mended else ""
    return {
        "planned": f"`kairos replay run {name}` runs it.",
        "running": "It is being run.",
        "stopped": f"`kairos replay run {name}` goes on where it was.",
        "done": f"`kairos replay diff {name}` compares, {promote}`kairos replay clean {name}` deletes the shadow.",
        "cleaned": "Its shadow is deleted.",
    }[now]
