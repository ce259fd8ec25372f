"""The end of a run: what it led to, whether the counts agree, and what to type next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from streams.cli import lines, mocked
from streams.cli.facts import Facts
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
        parts = {"duplicate": facts.duplicates, "dead": facts.dead}
        parts |= {name: count for name, count in _erased(facts).items() if count}
        sums = "".join(f" + {name} {count:,}" for name, count in parts.items())
        return f"read {facts.read:,}, but applied {facts.applied:,}{sums} = {facts.accounted():,}"
    return None


def show(console: Console, outcome: Outcome, reader: str, export: Path | None) -> None:
    """Print the summary, and below it what to type next."""
    console.print()
    console.print(equation(outcome, ITEMS.get(reader, "interactions")))
    console.print()
    console.print(_table(outcome, console.width), soft_wrap=True)
    for line in _next(outcome, export, console.width):
        console.print(line, soft_wrap=True)


def equation(outcome: Outcome, items: str) -> Text:
    """`25,900 invoices = 24,561 applied + 1,339 dead`, green if it holds."""
    facts = outcome.facts
    duplicates = f" + {facts.duplicates:,} duplicates" if facts.duplicates else ""
    erased = "".join(f" + {count:,} {name}" for name, count in _erased(facts).items() if count)
    text = Text(f"{facts.read:,} {items} = {facts.applied:,} applied{duplicates} + {facts.dead:,} dead{erased}")
    wrong = mismatch(outcome)
    text.stylize("bold green" if wrong is None else "bold red")
    return text if wrong is None else text.append(f"\nThis does not reconcile: {wrong}.", "bold red")


def _erased(facts: Facts) -> dict[str, int]:
    """What erasures took out, of what stood and of what came afterwards."""
    return {"erased": facts.erased, "after an erasure": facts.after_erasure}


def _rows(outcome: Outcome) -> list[tuple[str, list[Text]]]:
    facts = outcome.facts
    rows = [
        ("people", _words({"": facts.people, "known": facts.known})),
        ("orders", _words({"": facts.orders, "cancellations": facts.cancellations, "refunds": facts.refunds})),
    ]
    for currency in sorted(facts.revenue.keys() | facts.cancelled.keys() | facts.refunded.keys()):
        sums = {"ordered": facts.revenue, "cancelled": facts.cancelled, "refunded": facts.refunded}
        said = [f"{lines.amount(amounts.get(currency, '0'))} {what}" for what, amounts in sums.items()]
        none = facts.refunded.get(currency, "0") == "0"  # Few sources know of refunds.
        rows.append((currency or "no currency", [Text(", ".join(said[:-1] if none else said))]))
    for journey, stages in facts.stages.items():
        rows.append((f"{journey}, customers", _words(stages, lines.STAGE_STYLES)))
    for journey, changes in facts.stage_changes.items():
        rows.append((f"{journey}, changes to", _words({"": sum(changes.values()), **changes}, lines.STAGE_STYLES)))
    rows += [(f"moment {name}", _words(verdicts, lines.STATUS_STYLES)) for name, verdicts in facts.moments.items()]
    for name in sorted(facts.segments.keys() | facts.segment_changes.keys()):
        rows.append((f"segment {name}", _words({"members": facts.segments.get(name, 0), "changes": facts.segment_changes.get(name, 0)})))
    rows += [
        (
            "identity",
            _words(
                {"merges": facts.merges, "ids that became another's": facts.merged, "splits": facts.splits, "conflicts": facts.conflicts}
            ),
        ),
        ("retracted", _words({"": facts.retractions})),
        ("dead letters", _words(facts.dead_by_reason)),
        ("digest", [Text(facts.digest)]),
        ("time", [Text(f"{outcome.seconds:.1f} s until all had settled"), Text(f"{rate(outcome):,.0f} interactions/s")]),
    ]
    return rows


def _table(outcome: Outcome, width: int) -> Text:
    """The rows, labels in one column; a row breaks between its words only, never between a name and its count."""
    rows = _rows(outcome)
    column = max(len(label) for label, _ in rows) + 2
    text = Text()
    for label, words in rows:
        text.append(f"{lines.clean(label):<{column}}", "dim")
        at = column
        for number, word in enumerate(words):
            if number and at + 2 + len(word) > width:
                text.append("\n" + " " * column)
                at = column
            elif number:
                text.append("  ")
                at += 2
            text.append_text(word)
            at += len(word)
        text.append("\n")
    return text


def _words(counts: Mapping[str, int], styles: Mapping[str, str] | None = None) -> list[Text]:
    """`6,743`, `known 4,372`: a count without a name comes bare, one that is nothing but named is left out."""
    words = []
    for name, count in counts.items():
        if not name:
            words.append(Text(f"{count:,}", "bold"))
        elif count:
            words.append(Text.assemble((f"{lines.clean(name)} ", (styles or {}).get(name, "dim")), (f"{count:,}", "bold")))
    return words or [Text("none", "dim")]


def _next(outcome: Outcome, export: Path | None, columns: int) -> list[Text]:
    if outcome.run.broker == mocked.NAME:
        return [Text("The mock is gone, and this run with it. Without --broker there is a Kafka that keeps it, to be asked about.", "dim")]
    kairos = command()
    hints = [(f"{kairos} tail moments -n 20", "the newest moments, each with its reason")]
    if outcome.example is not None:
        hints.append((f"{kairos} who {lines.clean(outcome.example)}", "a customer with many moments: profile and timeline"))
    hints.append((f"{kairos} digest", "a hash over all customers' states"))
    if export is not None:
        hints.append((f"ls {export}", "every profile, stage change and moment of this run"))
    width = max(len(typed) for typed, _ in hints)
    is_narrow = max(2 + width + 3 + len(what) for _, what in hints) > columns
    between = "\n      " if is_narrow else "   "
    return [Text("What to type next (each starts this run's Kafka again):", "dim")] + [
        Text.assemble(f"  {typed if is_narrow else typed.ljust(width)}", (between + what, "dim")) for typed, what in hints
    ]


def command() -> str:
    """How this program is called from here."""
    called = Path(sys.argv[0])
    if shutil.which("kairos") is not None:
        return "kairos"
    if called.name != "kairos":
        return f"{sys.executable} -m streams.cli"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)
