"""`kairos identity evaluate`: how well people are found, on a simulation's truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from streams.cli.quality import Found
    from streams.identity.evaluate import Score

NEW_POLICY = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="\b\nExamples:\n  kairos simulate --people 50000 --seed 3 --out build/hard --hard 0.09\n  kairos identity evaluate build/hard\n"
    "  kairos identity evaluate build/hard --policy new-policy.json --json",
)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--policy", "path", type=NEW_POLICY, help="Judge by the policy in this file (.json, .toml, .py) instead of the one in force.")
@options.as_json
@options.outside
def command(directory: Path, path: Path | None, as_json: bool) -> None:
    """Run the interactions that `kairos simulate --out DIRECTORY` wrote through intake and identity, and compare with the truth beside them.

    Pairs and clusters of interactions: precision, recall and F1, of all of them and of what identifiers can tell; which errors each hard case led
    to; what bounds the components. Needs no broker. Exits with 1 where the aims are missed.
    """
    import orjson

    from streams import app
    from streams.cli import quality, screen

    in_force = app.policy_of(options.settings())
    policy = in_force if path is None else app.policy_in(path, in_force)
    with screen.bar("Interactions", quality.lines(directory)) as moved:
        found = quality.assess(directory, policy, moved)
    if as_json:
        click.echo(orjson.dumps(quality.plain(found), option=orjson.OPT_INDENT_2))
    else:
        show(screen.console(), found)
    if not quality.met(found):
        raise click.exceptions.Exit(1)


def show(console: Console, found: Found) -> None:
    """The quality in three tables and what follows from them."""
    from streams.cli import quality

    of = found.quality
    console.print(
        f"{of.interactions:,} interactions of {found.people:,} people; {of.told:,} of them can be told by their identifiers. "
        f"Found: {found.customers:,} customers."
    )
    scores = _table("", "precision", "recall", "F1", "right of claimed", "reached of wanted")
    for name, score in (
        ("pairs, what can be told", of.told_pairs),
        ("clusters, what can be told", of.told_clusters),
        ("pairs, all", of.pairs),
        ("clusters, all", of.clusters),
    ):
        scores.add_row(name, *_numbers(score))
    console.print(scores)
    causes = _table("cause of errors", "false pairs", "in customers", "missed pairs", "of people")
    for cause, errors in of.causes.items():
        causes.add_row(cause, *(f"{count:,}" for count in errors))
    causes.add_row("(nobody could tell)", f"{of.alike.false_pairs:,}", f"{of.alike.customers:,}", "", "")
    console.print(causes)
    widest = _table("shared most", "case", "people", "became")
    for one in found.widest:
        widest.add_row(one.type, one.case, f"{one.people:,}", one.became)
    console.print(widest)
    console.print(f"Links refused: {quality.refused_in_words(found.refused)}.")
    console.print(
        f"Largest component {found.largest_component:,} identifiers, largest customer {found.largest_customer:,}; "
        f"{found.generic:,} identifiers are generic, {found.generic_that_link:,} of them link."
    )
    verdict = "met" if quality.met(found) else "missed"
    console.print(
        f"Aims {verdict}: of pairs that can be told precision at least {quality.PRECISION_AIM}, recall at least {quality.RECALL_AIM}; nothing generic links."
    )


def _table(first: str, *others: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in ("case", "became") else "right")
    return table


def _numbers(score: Score) -> tuple[str, ...]:
    return (
        f"{score.precision:.5f}",
        f"{score.recall:.5f}",
        f"{score.f1:.5f}",
        f"{score.right:,} of {score.claimed:,}",
        f"{score.reached:,} of {score.wanted:,}",
    )
