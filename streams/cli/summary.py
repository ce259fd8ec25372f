"""The end of a run: what it led to, whether the counts agree, and what to type next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli import lines
from streams.cli.job import Outcome

ITEMS = {"online-retail": "invoices"}
"""What a reader's items are called."""


def value(outcome: Outcome) -> dict[str, Any]:
    """The summary as summary.json and `--json` have it; it holds no personal data."""
    facts, played = outcome.facts, outcome.played
    return {
        "run": outcome.run.id,
        "appId": outcome.run.app_id,
        "partitions": outcome.run.partitions,
        "journeys": list(outcome.run.journeys),
        "sent": played.read + played.duplicates,
        "reconciles": mismatch(outcome) is None,
        "seconds": round(outcome.seconds, 3),
        "perSecond": round(rate(outcome)),
        **msgspec.to_builtins(facts),
    }


def rate(outcome: Outcome) -> float:
    """Interactions a second, from the first one sent until all had settled."""
    return outcome.facts.read / outcome.seconds if outcome.seconds else 0.0


def mismatch(outcome: Outcome) -> str | None:
    """The first equation of counts that does not hold; None where all do."""
    facts, sent = outcome.facts, outcome.played.read + outcome.played.duplicates
    if sent != facts.read:
        return f"the player sent {sent:,} records, the topic holds {facts.read:,}"
    if not facts.reconciles():
        whole = facts.applied + facts.duplicates + facts.dead
        return f"read {facts.read:,}, but applied {facts.applied:,} + duplicate {facts.duplicates:,} + dead {facts.dead:,} = {whole:,}"
    return None


def show(console: Console, outcome: Outcome, reader: str, export: Path | None) -> None:
    """Print the summary, and below it what to type next."""
    console.print()
    console.print(equation(outcome, ITEMS.get(reader, "interactions")))
    console.print()
    console.print(_table(outcome))
    console.print()
    for line in _next(outcome, export):
        console.print(line)


def equation(outcome: Outcome, items: str) -> Text:
    """`25,900 invoices = 24,561 applied + 1,339 dead`, green if it holds."""
    facts = outcome.facts
    duplicates = f" + {facts.duplicates:,} duplicates" if facts.duplicates else ""
    text = Text(f"{facts.read:,} {items} = {facts.applied:,} applied{duplicates} + {facts.dead:,} dead")
    wrong = mismatch(outcome)
    text.stylize("bold green" if wrong is None else "bold red")
    return text if wrong is None else text.append(f"\nThis does not reconcile: {wrong}.", "bold red")


def _table(outcome: Outcome) -> Table:
    facts = outcome.facts
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("people", _words({"": facts.people, "known": facts.known, "merged": facts.merged}))
    table.add_row("orders", _words({"": facts.orders, "cancellations": facts.cancellations, "refunds": facts.refunds}))
    for currency in sorted(facts.revenue.keys() | facts.cancelled.keys()):
        sums = f"{lines.amount(facts.revenue.get(currency, '0'))} ordered, {lines.amount(facts.cancelled.get(currency, '0'))} cancelled"
        table.add_row(lines.clean(currency), sums)
    for journey, stages in facts.stages.items():
        table.add_row(f"{lines.clean(journey)}, customers", _words(stages, lines.STAGE_STYLES))
    for journey, changes in facts.stage_changes.items():
        table.add_row(f"{lines.clean(journey)}, changes to", _words({"": sum(changes.values()), **changes}, lines.STAGE_STYLES))
    for name, verdicts in facts.moments.items():
        table.add_row(f"moment {lines.clean(name)}", _words(verdicts, lines.STATUS_STYLES))
    for name in sorted(facts.segments.keys() | facts.segment_changes.keys()):
        table.add_row(
            f"segment {lines.clean(name)}", _words({"members": facts.segments.get(name, 0), "changes": facts.segment_changes.get(name, 0)})
        )
    table.add_row("identity", _words({"merges": facts.merges, "splits": facts.splits, "conflicts": facts.conflicts}))
    table.add_row("retracted", f"{facts.retractions:,}")
    table.add_row("dead letters", _words(facts.dead_by_reason))
    table.add_row("digest", facts.digest)
    table.add_row("time", f"{outcome.seconds:.1f} s, {rate(outcome):,.0f} interactions/s until all had settled")
    return table


def _words(counts: Mapping[str, int], styles: Mapping[str, str] | None = None) -> Text:
    """`6,743 · known 4,372`; a count without a name comes bare, one that is nothing but named is left out."""
    text = Text()
    for name, count in counts.items():
        if name and not count:
            continue
        if text:
            text.append("  ")
        if name:
            text.append(f"{lines.clean(name)} ", (styles or {}).get(name, "dim"))
        text.append(f"{count:,}", "bold")
    return text if text else Text("none", "dim")


def _next(outcome: Outcome, export: Path | None) -> list[Text]:
    kairos = command()
    hints = [(f"{kairos} tail moments -n 20", "the newest moments, each with its reason")]
    if outcome.example is not None:
        hints.append((f"{kairos} who {lines.clean(outcome.example)}", "a customer with many moments: profile and timeline"))
    hints.append((f"{kairos} digest", "a hash over all customers' states"))
    if export is not None:
        hints.append((f"ls {export}", "every profile, stage change and moment of this run"))
    width = max(len(typed) for typed, _ in hints)
    return [Text("What to type next (they start this run's Kafka again by themselves):", "dim")] + [
        Text.assemble(f"  {typed:<{width}}", (f"   {what}", "dim")) for typed, what in hints
    ]


def command() -> str:
    """How this program is called from here."""
    called = Path(sys.argv[0])
    if shutil.which("kairos") is not None:
        return "kairos"
    if called.name != "kairos":
        return f"{sys.executable} -m streams.cli"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)
