"""`kairos identity diff`: who would merge, split or change id under another policy, before it is switched on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from streams.cli.facts import Message
    from streams.identity.compare import Difference
    from streams.identity.policy import Policy
    from streams.rows import NodeKey

POLICY = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="\b\nExamples:\n  kairos identity diff --policy new-policy.json\n  kairos identity diff --policy new_policy.py --json\n"
    "  kairos identity diff build/hard --policy new-policy.toml     # on what `kairos simulate --out build/hard` wrote",
)
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--policy",
    "path",
    type=POLICY,
    required=True,
    help="The new policy: JSON, TOML, or Python that defines identity_policy as streams/journeys/identity_policy.py does.",
)
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="So many changes of each kind; 0: all.")
@options.broker
@options.as_json
@options.outside
def command(directory: Path | None, path: Path, count: int, broker: str, as_json: bool) -> None:
    """Say what the policy in a file would change: on the state of the running workers, or on a simulation's DIRECTORY.

    People are a function of the evidence and the policy, so they are resolved anew from the evidence that the workers hold. What the new policy blocks,
    and whom it trusts, counts for what is still to come; in a DIRECTORY it counts from the first interaction. Nothing is changed.
    """
    import orjson

    from streams import app
    from streams.cli import screen
    from streams.identity.compare import difference

    in_force = app.policy_of(options.settings())
    new = app.policy_in(path, in_force)
    before, after = _of_workers(broker, in_force, new) if directory is None else _of_directory(directory, in_force, new)
    found = difference(before, after)
    if as_json:
        click.echo(orjson.dumps(plain(found), option=orjson.OPT_INDENT_2))
    else:
        show(screen.console(), found, count)


def resolved(read: Callable[[], Iterator[Message]], old: Policy, new: Policy) -> tuple[dict[NodeKey, str], dict[NodeKey, str]]:
    """Whose each fragment is by the rows of a changelog, and whose it would be."""
    from streams.cli import state
    from streams.identity.compare import under
    from streams.identity.component import COMPONENT, NODE, settled
    from streams.identity.identifiers import customer_id

    held = state.rows(read(), lambda key: key.startswith((COMPONENT.tag, NODE.tag)))
    rows = [row for (_, key), row in held.items() if key.startswith(COMPONENT.tag)]
    nodes = [(key[len(NODE.tag) :], row) for (_, key), row in held.items() if key.startswith(NODE.tag)]
    before = {
        fragment: customer_id(person.canonical)
        for row in rows
        for person in settled(COMPONENT.decode(row))
        for fragment in person.fragments
    }
    people = under(lambda: map(COMPONENT.decode, rows), lambda: ((key, NODE.decode(row)) for key, row in nodes), old, new)
    return before, {fragment: customer_id(person.canonical) for person in people for fragment in person.fragments}


def plain(found: Difference) -> dict[str, Any]:
    """All of it as JSON has it."""
    return {
        "customersBefore": found.before,
        "customersAfter": found.after,
        "same": found.same,
        "merged": len(found.merges),
        "split": len(found.splits),
        "renamed": len(found.renamed),
        "merges": [one._asdict() for one in found.merges],
        "splits": [one._asdict() for one in found.splits],
        "renames": [one._asdict() for one in found.renamed],
    }


def show(console: Console, found: Difference, count: int) -> None:
    """The counts, and some of each kind."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console.print(
        f"{found.before:,} customers would be {found.after:,}: {found.same:,} stay as they are, {sum(len(one.customers) for one in found.merges):,} "
        f"would merge into {len(found.merges):,}, {len(found.splits):,} would split, {len(found.renamed):,} would only change id."
    )
    rows = {
        "merge": [(", ".join(one.customers), one.into) for one in found.merges],
        "split": [(one.customer, ", ".join(one.into)) for one in found.splits],
        "new id": [(one.customer, one.into) for one in found.renamed],
    }
    if not any(rows.values()):
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("change", "customers", "would be"):
        table.add_column(name, overflow="fold")
    for kind, changes in rows.items():
        for customers, would_be in changes[: count or None]:
            table.add_row(kind, customers, would_be)
        if count and len(changes) > count:
            table.add_row(kind, f"and {len(changes) - count:,} more", "")
    console.print(table)


def _of_workers(broker: str, old: Policy, new: Policy) -> tuple[dict[Any, str], dict[Any, str]]:
    from connectors.consumer import read_topic
    from streams.cli import session

    with session.connected(options.settings(), broker) as kafka:
        return resolved(lambda: read_topic(kafka.bootstrap, kafka.changelog), old, new)


def _of_directory(directory: Path, old: Policy, new: Policy) -> tuple[dict[Any, str], dict[Any, str]]:
    from streams.cli import quality, screen

    total = quality.lines(directory)
    found = []
    for what, policy in {"Policy in force": old, "New policy": new}.items():
        with screen.bar(what, total) as moved:
            found.append(quality.customers(directory, policy, moved))
    return found[0], found[1]
