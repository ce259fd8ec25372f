"""`kairos keys`: who may send to the collector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from streams.cli import options

T = TypeVar("T")


@click.group(epilog="\b\nExamples:\n  kairos keys create web --rate 500\n  kairos keys list\n  kairos keys revoke wk_a1B2c3D")
def command() -> None:
    """Make, list and revoke the collector's write keys; they are kept, hashed, in DATA_DIR/keys.json."""


@command.command()
@click.argument("source")
@click.option(
    "--rate",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="N",
    help="Items a second that come by it, at most; unbounded unless told.",
)
@options.as_json
@options.outside
def create(source: str, rate: float | None, as_json: bool) -> None:
    """Make a key for SOURCE (shop, web, call-center): the source.system of all that comes by it. It is shown this once."""
    import time

    import orjson

    from connectors.collector import keys
    from connectors.runtime.instants import rfc3339
    from schemas.interaction import NAME_CHARACTERS_MAX

    if not 0 < len(source) <= NAME_CHARACTERS_MAX or not source.isprintable():
        raise click.UsageError(f"a source's name has 1 to {NAME_CHARACTERS_MAX} printable characters.")
    made = _reading(lambda path: keys.create(path, source, rfc3339(time.time_ns() // 1_000_000_000 * 1_000_000), rate))
    if as_json:
        click.echo(orjson.dumps({"source": source, "writeKey": made, "eventsPerSecond": rate}).decode())
        return
    click.echo(made)
    click.echo(f"The write key of {source}. Keep it now: only its hash is kept here.", err=True)


@command.command("list")
@options.as_json
@options.outside
def listed(as_json: bool) -> None:
    """All keys, by what they begin with; none of them whole."""
    import orjson
    from rich.table import Table

    from connectors.collector import keys
    from streams.cli import screen

    found = _reading(keys.load)
    if as_json:
        shown = [
            {"source": key.source, "key": key.hint, "createdAt": key.created_at, "eventsPerSecond": key.events_per_second} for key in found
        ]
        click.echo(orjson.dumps(shown).decode())
        return
    if not found:
        click.echo("There are no write keys. Make one with: kairos keys create SOURCE")
        return
    table = Table("source", "key", "made", "items/s", box=None)
    for key in found:
        table.add_row(
            key.source, f"{key.hint}...", key.created_at, "unbounded" if key.events_per_second is None else f"{key.events_per_second:g}"
        )
    screen.console().print(table)


@command.command()
@click.argument("key")
@options.outside
def revoke(key: str) -> None:
    """Forget KEY (the whole of it, or what `keys list` shows of it); a collector that runs lets it in no longer after a second."""
    from connectors.collector import keys

    gone = _reading(lambda path: keys.revoke(path, key))
    if not gone:
        raise options.Failure("There is no such write key; kairos keys list shows what each begins with.")
    click.echo(f"revoked: {', '.join(f'{one.hint}... of {one.source}' for one in gone)}")


def _reading(act: Callable[[Path], T]) -> T:
    from connectors.collector import keys

    try:
        return act(keys.file_of(options.settings().data_dir))
    except keys.Damaged as damaged:
        raise options.Failure(str(damaged)) from None
