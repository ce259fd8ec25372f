"""Run the simulator: `python -m tests.simulation --seeds 1-300`, or one seed with its story.

The rule this module owns: it ends with 1 where a law is broken, and shows a smaller history that breaks it.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation import mutations, story
from tests.simulation.cut import Cut, applied, read
from tests.simulation.history import Guarantee, scenario
from tests.simulation.laws import LAWS
from tests.simulation.minimise import RUNS_MAX, minimised, outcome
from tests.simulation.run import Outcome

SHOWN_MAX = 3
"""So many failing seeds are made smaller and told; of all others the number is said."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", default="1-300", show_default=True, help="A range, or one seed: runs them all and says what broke.")
@click.option("--seed", type=int, help="One seed, with its story.")
@click.option("--guarantee", type=click.Choice(["exactly_once", "at_least_once"]), help="Only so; each seed has its own else.")
@click.option("--mutation", type=click.Choice(sorted(mutations.MUTATIONS)), help="Put a known mistake back into the product.")
@click.option("--keep", help="Of --seed: the places of the entries that are left, as 0,3-5.")
@click.option("--without", help="Of --seed: place.number of identifiers that are left out.")
@click.option("--faults", help="Of --seed: the batches at which a fault may happen; none: at none.")
@click.option("--set", "settings", help="Of --seed: what is other in the world, as partitions=1,batch=5.")
@click.option("--schedule", type=int, default=0, help="Of --seed: which of the ways that things may follow each other.")
@click.option("--minimise/--no-minimise", default=True, show_default=True, help="Make a failing seed's history smaller.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def main(
    seeds: str,
    seed: int | None,
    guarantee: Guarantee | None,
    mutation: str | None,
    keep: str | None,
    without: str | None,
    faults: str | None,
    settings: str | None,
    schedule: int,
    minimise: bool,
    as_json: bool,
) -> None:
    """Let Kairos's own handlers live through histories in which everything goes wrong that can, and ask whether the laws of identity hold."""
    console = Console(soft_wrap=True, highlight=False)
    known = mutations.MUTATIONS[mutation].settings if mutation is not None else ()
    said = [
        *(f"{name}={value}" for name, value in known),
        *([settings] if settings else []),
        *([f"guarantee={guarantee}"] if guarantee else []),
    ]
    cut = read(keep, without, faults, ",".join(said), schedule)
    with mutations.applied(mutation):
        if seed is not None:
            sys.exit(_one(console, seed, cut, mutation, as_json))
        sys.exit(_range(console, seeds, cut, mutation, minimise, as_json))


def _one(console: Console, seed: int, cut: Cut, mutation: str | None, as_json: bool) -> int:
    found = outcome(scenario(seed), cut)
    if as_json:
        print(json.dumps(_said(seed, found, cut, mutation)))
    else:
        for line in story.told(scenario(seed), cut, mutation):
            console.print(line, markup=False)
    return int(bool(found.broken))


def _range(console: Console, seeds: str, cut: Cut, mutation: str | None, minimise: bool, as_json: bool) -> int:
    first, _, last = seeds.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    began = time.monotonic()
    failing: dict[int, Outcome] = {}
    happened: Counter[str] = Counter()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("nothing broken", total=len(numbers))
        for seed in numbers:
            found = outcome(scenario(seed), cut)
            happened.update(found.happened)
            happened["seeds at least once"] += applied(scenario(seed), cut).settings.guarantee == "at_least_once"
            if found.broken:
                failing[seed] = found
            progress.update(task, advance=1, description=f"{len(failing)} broken" if failing else "nothing broken")
    smaller = _smaller(failing, cut) if minimise else {}
    seconds = time.monotonic() - began
    if as_json:
        told = [_said(seed, found, smaller.get(seed, cut), mutation) for seed, found in failing.items()]
        print(json.dumps({"seeds": len(numbers), "seconds": round(seconds, 1), "happened": dict(sorted(happened.items())), "broken": told}))
    else:
        _print(console, numbers, failing, smaller, happened, seconds, mutation)
    return int(bool(failing))


def _smaller(failing: dict[int, Outcome], cut: Cut) -> dict[int, Cut]:
    chosen = list(failing)[:SHOWN_MAX]
    return {seed: minimised(scenario(seed), next(iter(failing[seed].broken)), cut, RUNS_MAX // len(chosen)) for seed in chosen}


def _said(seed: int, found: Outcome, cut: Cut, mutation: str | None) -> dict[str, Any]:
    again = story.command(seed, cut, mutation)
    return {"seed": seed, "broken": found.broken, "digest": found.digest, "happened": found.happened, "again": again}


def _print(
    console: Console,
    numbers: range,
    failing: dict[int, Outcome],
    smaller: dict[int, Cut],
    happened: Counter[str],
    seconds: float,
    mutation: str | None,
) -> None:
    for seed, cut in smaller.items():
        for line in story.told(scenario(seed), cut, mutation):
            console.print(line, markup=False)
        console.print()
    table = Table("law", "seeds that break it", title=f"seeds {numbers[0]} to {numbers[-1]}" + (f", {mutation}" if mutation else ""))
    broken = Counter(law for found in failing.values() for law in found.broken)
    for law in [*LAWS, *(law for law in broken if law not in LAWS)]:
        table.add_row(law, str(broken[law]) if broken[law] else "none")
    console.print(table)
    console.print(", ".join(f"{count:,} {name}" for name, count in sorted(happened.items())))
    console.print(
        f"{len(numbers)} seeds in {seconds:.1f} s; " + (f"broken: {', '.join(map(str, failing))}" if failing else "every law holds")
    )


if __name__ == "__main__":
    main()
