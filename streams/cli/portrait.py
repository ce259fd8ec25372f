"""A customer for a person to read: profile, identifiers, timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams import instants, rows
from streams.cli import lines
from streams.cli.customer import Found, Profile, Timeline
from streams.rows import Touch

IDENTIFIERS_SHOWN = 6

Moments = Mapping[str, Mapping[str, int]]
"""How many of each status, by the moment's name."""


def show_customer(console: Console, found: Found, moments: Moments) -> None:
    """Print who a customer is, by its profile."""
    profile = found.profile
    head = Text.assemble(
        (profile["customerId"], "bold cyan"), (f"  version {profile['version']}, as of {lines.when(profile['asOf'])}", "dim")
    )
    if len(found.path) > 1:
        head.append(f"  (was {' → '.join(lines.short(customer) for customer in found.path[:-1])})", "dim")
    console.print(head, soft_wrap=True)
    console.print(_facts(profile, moments))
    console.print()


def show_timeline(console: Console, timeline: Timeline, shown: Sequence[Touch]) -> None:
    """Print a customer's timeline; `shown` are the newest touches of it."""
    count = f"{len(timeline.touches):,} interactions" + (f", the newest {len(shown)}" if len(shown) < len(timeline.touches) else "")
    count += f", and {timeline.older:,} older ones in totals" if timeline.older else ""
    console.print(Text.assemble(("timeline  ", "bold"), (count, "dim")))
    for touch in shown:
        console.print(_touch(touch), soft_wrap=True)


def _facts(profile: Profile, moments: Moments) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _rows(profile, moments):
        if text:
            table.add_row(label, text)
    return table


def _rows(profile: Profile, moments: Moments) -> list[tuple[str, Text | str]]:
    facts: list[tuple[str, Text | str]] = []
    for kind, names in profile["identifiers"].items():
        more = f" and {len(names) - IDENTIFIERS_SHOWN} more" if len(names) > IDENTIFIERS_SHOWN else ""
        facts.append((lines.clean(kind), lines.clean(", ".join(names[:IDENTIFIERS_SHOWN])) + more))
    facts += [(lines.clean(name), f"{lines.clean(str(trait['value']))}") for name, trait in profile["traits"].items()]
    facts += [(label, lines.clean(profile[field] or "")) for label, field in (("language", "language"), ("time zone", "timezone"))]
    for journey, position in profile["journeys"].items():
        stage = Text(lines.clean(position["stage"]), lines.STAGE_STYLES.get(position["stage"], "bold"))
        facts.append(
            (f"{lines.clean(journey)}", stage.append(f" since {lines.when(position['since'])}, {lines.because(position['cause'])}", "dim"))
        )
    facts.append(("segments", lines.clean(", ".join(profile["segments"]))))
    facts += [(f"moment {lines.clean(name)}", _moment(count, moments.get(name, {}))) for name, count in profile["moments"].items()]
    facts += [(f"channel {lines.clean(name)}", _count(count)) for name, count in profile["channels"].items()]
    facts.append(("heard from", _heard(profile["freshness"])))
    for currency, totals in profile["totals"].items():
        parts = [f"{totals['orders']} orders {lines.amount(totals['revenue'])}"]
        for name, amount in (("cancellations", "cancelled"), ("refunds", "refunded")):
            if totals[name]:
                parts.append(f"{totals[name]} {name} {lines.amount(totals[amount])}")
        facts.append((lines.clean(currency), ", ".join(parts)))
    for consent in profile["consent"]:
        facts.append((f"consent {lines.clean(consent['purpose'])}", f"{lines.clean(consent['channel'])} {consent['state']}"))
    facts += [(f"case {lines.clean(case['id'])}", f"open since {lines.when(case['openedAt'])}") for case in profile["openCases"]]
    if profile["emotion"] or profile["irritation"]:
        facts.append(("emotion", f"{profile['emotion']:.2f}, irritation {profile['irritation']:.2f}"))
    return facts


def _moment(count: dict[str, Any], verdicts: Mapping[str, int]) -> Text:
    """`3 x, last 2026-03-01 09:00: fired 1, suppressed 2`."""
    text = Text(_count(count))
    for number, (status, times) in enumerate(sorted(verdicts.items())):
        text.append(", " if number else ": ").append(status, lines.STATUS_STYLES.get(status, "")).append(f" {times}")
    return text


def _heard(freshness: Mapping[str, str]) -> str:
    """`web 2026-03-01 09:00, app 2026-02-11 17:30`: which systems last told something, the silent ones last."""
    newest = sorted(freshness.items(), key=lambda source: source[1], reverse=True)
    return ", ".join(f"{lines.clean(source)} {lines.when(last)}" for source, last in newest)


def _count(count: dict[str, Any]) -> str:
    return f"{count['count']} x, last {lines.when(count['last'])}"


def _touch(touch: Touch) -> Text:
    text = Text.assemble(
        (lines.when(instants.text(touch.occurred_at)), lines.STYLE_TIME),
        (f"  {lines.clean(touch.event or touch.type)}", lines.STYLE_NAME),
        (f"  {lines.clean(touch.channel)}", lines.STYLE_QUIET),
    )
    amount = _amount(touch)
    if amount:
        text.append(f"  {amount}")
    return text.append(f"  {lines.clean(touch.id)}", lines.STYLE_QUIET)


def _amount(touch: Touch) -> str:
    """What it was about in money, where it says so; shown as it was sent."""
    properties = rows.payload(touch.payload).properties or {}
    revenue = properties.get("revenue")
    if revenue is not None:  # It counts before `value` (streams/customer/reducers/totals.py).
        return f"{lines.money(str(revenue))} {lines.clean(str(properties.get('currency') or touch.currency or ''))}".strip()
    return f"{lines.money(str(touch.amount))} {touch.currency or ''}".strip() if touch.amount is not None else ""
