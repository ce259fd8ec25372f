"""Who belongs together and who does not, for a person to read: a customer's identifiers as a tree of links, and the chain between two.

The rule this module owns: every line says which interactions made a link, every refusal which rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from streams import instants
from streams.cli import lines, reasons
from streams.cli.customer import Profile
from streams.cli.evidence import Evidence
from streams.identity.component import ends
from streams.identity.explain import Step, Why, chains, refusals, walk
from streams.identity.identifiers import customer_id
from streams.rows import NodeKey, Person

SHOWN_MAX = 40
"""So many identifiers, refused links and changes each are printed; --json has all."""


def show(console: Console, evidence: Evidence, person: Person, changes: Sequence[Profile]) -> None:
    """Print why each identifier of a person belongs, which links were refused, and what became of whom."""
    _heading(
        console, "identity", f"{len(person.members):,} identifier{'s' * (len(person.members) != 1)}, each under the one that linked it"
    )
    rows = _tree(evidence, person)
    for row in rows[:SHOWN_MAX]:
        console.print(row, soft_wrap=True)
    _more(console, len(rows))
    refused = refusals(evidence.judged, person)
    if refused:
        _heading(console, "refused", f"{len(refused):,} link{'s' * (len(refused) != 1)} to others")
        for step in refused[:SHOWN_MAX]:
            own, other = reasons.ends_of(step, person)
            whose = lines.short(customer_id(evidence.person(other).canonical))
            console.print(
                Text.assemble(
                    f"  {lines.clean(evidence.name(own))} ≠ {lines.clean(evidence.name(other))} ",
                    (f"of {whose}  ", lines.STYLE_ID),
                    (reasons.sighting(evidence, step), lines.STYLE_QUIET),
                ),
                soft_wrap=True,
            )
            console.print(Text(f"      {reasons.reason(evidence, step)}", "yellow"), soft_wrap=True)
        _more(console, len(refused))
    if changes:
        _heading(console, "changes", "merges and splits, in time")
        for change in changes[-SHOWN_MAX:]:
            line = lines.identity_change(change).append(f"  by {lines.clean(change.get('messageId') or 'a command')}", lines.STYLE_QUIET)
            console.print(Text("  ").append_text(line), soft_wrap=True)
        _more(console, len(changes))
    console.print()


def show_why(console: Console, evidence: Evidence, left: NodeKey, right: NodeKey, why: Why) -> None:
    """Print the chain between two identifiers, each link with its interactions, and what keeps them apart."""
    one, other = (customer_id(evidence.person(key).canonical) for key in (left, right))
    names = [lines.clean(evidence.name(key)) for key in (left, right)]
    if why.same:
        links = f"{len(why.steps)} link{'s' * (len(why.steps) != 1)}" if why.steps else "one and the same identifier"
        console.print(
            Text.assemble(("Same person", "bold green"), f": {names[0]} and {names[1]} are ", (one, lines.STYLE_ID), f" ({links})."),
            soft_wrap=True,
        )
    else:
        console.print(
            Text.assemble(
                ("Not the same person", "bold red"),
                f": {names[0]} is ",
                (one, lines.STYLE_ID),
                f", {names[1]} is ",
                (other, lines.STYLE_ID),
                ".",
            ),
            soft_wrap=True,
        )
    if not why.steps and not why.same:
        console.print("  Never seen together: no chain of interactions leads from one to the other.")
    keys = walk(left, why.steps)
    for number, key in enumerate(keys if why.steps else []):
        console.print(Text.assemble("  ", (lines.clean(evidence.name(key)), "bold")), soft_wrap=True)
        if number < len(why.steps):
            for line in _link(evidence, why.steps[number]):
                console.print(line, soft_wrap=True)
    if why.others:
        console.print("  Nor did these join them:")
    for step in why.others[:SHOWN_MAX]:
        console.print(f"  {lines.clean(evidence.name(step.left))} ≠ {lines.clean(evidence.name(step.right))}", soft_wrap=True, markup=False)
        for line in _link(evidence, step):
            console.print(line, soft_wrap=True)
    _more(console, len(why.others))
    for both in why.apart:
        apart = " and ".join(lines.clean(evidence.name(end)) for end in ends(both))
        console.print(Text(f"  A command keeps {apart} apart.", "yellow"), soft_wrap=True)


def _link(evidence: Evidence, step: Step) -> list[Text]:
    seen = reasons.sighting(evidence, step)
    if step.holds:
        return [Text.assemble(("    │  ", lines.STYLE_GOOD), (seen, lines.STYLE_QUIET))]
    return [
        Text.assemble(("    ╳  ", lines.STYLE_BAD), (seen, lines.STYLE_QUIET)),
        Text.assemble(("    ╳  ", lines.STYLE_BAD), (reasons.reason(evidence, step), "yellow")),
    ]


def _tree(evidence: Evidence, person: Person) -> list[Text]:
    """A person's identifiers, each indented under the one by which it was linked."""
    found = chains(evidence.judged, person)
    below: dict[NodeKey, list[NodeKey]] = defaultdict(list)
    for member, steps in found.items():
        below[walk(person.canonical, steps)[-2]].append(member)
    rows = []
    waiting = [(person.canonical, 0)]
    while waiting:
        key, depth = waiting.pop()
        first, last = reasons.seen(evidence, key)
        row = Text.assemble(f"  {'  ' * depth}{'└ ' if depth else ''}", (lines.clean(evidence.name(key)), lines.STYLE_NAME))
        if first is not None and last is not None:
            row.append(f"  {_when(first)} to {_when(last)}", lines.STYLE_TIME)
        if key in found:
            row.append(f"  by {reasons.sighting(evidence, found[key][-1])}", lines.STYLE_QUIET)
        rows.append(row)
        waiting += [(child, depth + 1) for child in sorted(below[key], reverse=True)]
    return rows


def _when(instant: instants.Instant) -> str:
    return lines.when(instants.text(instant))


def _heading(console: Console, name: str, said: str) -> None:
    console.print(Text.assemble((f"{name}  ", "bold"), (said, lines.STYLE_QUIET)), soft_wrap=True)


def _more(console: Console, count: int) -> None:
    if count > SHOWN_MAX:
        console.print(Text(f"  ... and {count - SHOWN_MAX:,} more: --json has all.", lines.STYLE_QUIET))
