"""`kairos schemas`: the contract written out."""

from pathlib import Path

import click

from streams.cli import options


@click.group("schemas", epilog="\b\nExamples:\n  kairos schemas export --out build/contract")
def command() -> None:
    """Export the contract as JSON Schema and AsyncAPI."""


@command.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Directory to write below.  [default: this one]"
)
@options.as_json
@options.outside
def export(out: Path, as_json: bool) -> None:
    """Write docs/schemas/*.json (JSON Schema), docs/asyncapi.json (AsyncAPI 3), the tables of docs/ and deploy/kafka/topics.sh."""
    import json

    from schemas import export as contract

    paths = [str(path) for path in contract.write(out)]
    click.echo(json.dumps({"written": paths}) if as_json else "\n".join(paths))
