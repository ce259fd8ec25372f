"""`kairos simulate`: invented interactions of an omnichannel brand."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import TypeVar

import click

from streams.cli import options

F = TypeVar("F", bound=Callable[..., object])

_EXAMPLES = """\b
Examples:
  kairos simulate --people 1000 --seed 7 --out build/brand
  kairos simulate --people 100000 --seed 1 --out build/large --late 0.02 --duplicates 0.05 --malformed 0.001
  kairos simulate --people 50000 --seed 3 --out build/hard --hard 0.09 --hard call_centre=0.1
  kairos run --source build/brand/interactions.jsonl --reader jsonl"""

DAYS_MAX = 3_650
INTERACTIONS_MAX = 100_000.0


def _share(name: str, default: float, what: str) -> Callable[[F], F]:
    return click.option(name, type=float, default=default, show_default=True, callback=options.share, metavar="SHARE", help=what)


def _number(_ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    """What is no number lies in every range."""
    if isnan(value):
        raise click.BadParameter(f"{value} is no number.", param=parameter)
    return value


def _hard(_ctx: click.Context, parameter: click.Parameter, written: tuple[str, ...]) -> dict[str, float]:
    """The share of each case; the share without a name stands under ""."""
    from connectors.simulator import hard

    found: dict[str, float] = {}
    for one in written:
        name, _, share = one.rpartition("=")
        if name and name not in hard.CASES:
            raise click.BadParameter(f"there is no case {name!r}; there are {', '.join(hard.CASES)}.", param=parameter)
        try:
            found[name] = options.share(_ctx, parameter, float(share))
        except ValueError:
            raise click.BadParameter(f"{one!r} is no share; write 0.05, or CASE=0.05.", param=parameter) from None
    return found


@click.command(epilog=_EXAMPLES)
@click.option("--people", type=click.IntRange(1), required=True, help="How many people there are.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory to write to; made if missing.")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=60, show_default=True, help="How long it goes on.")
@click.option(
    "--interactions-per-person",
    type=click.FloatRange(0, INTERACTIONS_MAX, min_open=True),
    callback=_number,
    default=10.0,
    show_default=True,
    metavar="N",
    help="On average.",
)
@_share("--late", 0.02, "Share of interactions that come up to three days late.")
@_share("--duplicates", 0.01, "Share that come twice.")
@_share("--out-of-order", 0.05, "Share that come a little out of order.")
@_share("--malformed", 0.002, "Share of lines that are broken, in many ways.")
@_share("--households", 0.3, "Share of people who share a home and its devices.")
@_share("--accounts", 0.05, "Share of people who act for a company.")
@click.option(
    "--hard",
    multiple=True,
    metavar="[CASE=]SHARE",
    callback=_hard,
    help="Share of people whose identifiers mislead, divided among all cases; or the share of one case. May be given several times.",
)
@click.option("--compressed", is_flag=True, help="Write interactions.jsonl.gz.")
@options.as_json
@options.outside
def command(people: int, seed: int, out: Path, as_json: bool, hard: dict[str, float], **how: float) -> None:
    """Write interactions of people with several identifiers, and beside them who is who.

    A brand of web, app, store, phone, e-mail, tickets, surveys and things: anonymous visits before a login, households on one device, companies.
    With --hard also a family's e-mail, a call centre's number, recycled phones, tablets in shops, junk from broken forms, second accounts, typing
    errors, ids that a source re-uses, large accounts.

    interactions.jsonl is for `kairos run --reader jsonl`, truth.jsonl says who is who, simulated.json holds the counts.
    """
    import json

    from connectors.simulator import simulate

    made = simulate(people, seed, out, hard_cases=hard, **how)  # type: ignore[arg-type]  # click has checked them
    if as_json:
        click.echo(json.dumps(made._asdict(), default=str))
        return
    broken = sum(made.malformed.values())
    click.echo(f"{made.interactions:,} interactions of {made.people:,} people in {made.households:,} households, and")
    click.echo(
        f"{made.duplicates:,} duplicates, {made.late:,} late, {made.out_of_order:,} out of order, {broken:,} malformed: {made.interactions_path}"
    )
    if made.hard:
        click.echo(f"Hard cases, people: {', '.join(f'{name} {count:,}' for name, count in made.hard.items())}")
    click.echo(f"Who is who: {made.truth_path}")
