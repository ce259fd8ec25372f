"""`kairos run`: any source, from nothing to a summary."""

from pathlib import Path

import click

from streams.cli import options

DEFAULT_JOURNEYS = {"online-retail": "retail"}
"""The journeys of a reader where --journeys says nothing; of any other: brand."""

_EXAMPLES = """\b
Examples:
  kairos run --source data/online-retail.csv.gz --reader online-retail --until 2011-12-10T00:00:00Z
  kairos run --source build/brand/interactions.jsonl --reader jsonl --partitions 16 --workers 2 --export build/out
  kairos run --source interactions.jsonl --reader jsonl --broker 127.0.0.1:9092 --shuffle 7 --duplicates 0.05 --json"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--source", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The file to play; plain or gzip."
)
@click.option("--reader", required=True, callback=options.reader, help="Who reads it: online-retail or jsonl.")
@click.option(
    "--broker",
    default="auto",
    show_default=True,
    metavar="auto|docker|mock|HOST:PORT",
    help="Kafka: HOST:PORT[,...]; docker; mock, for a look without a download (it says what it cannot do); "
    "auto takes KAFKA_BOOTSTRAP or KAIROS_BOOTSTRAP if set, else starts one of its own.",
)
@click.option(
    "--until", callback=options.instant, metavar="TIME", help="Let time run on to this instant (RFC 3339): deadlines up to it fall due."
)
@click.option("--partitions", type=int, help="Partitions of every topic.  [default: KAIROS_PARTITIONS or 4]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all that was published to this directory, whole or not at all; profiles as of --until.",
)
@click.option(
    "--journeys",
    help="Names of modules in streams/journeys/, comma-separated.  [default: KAIROS_JOURNEYS, else by reader: retail or brand]",
)
@click.option("--shuffle", "shuffle_seed", type=int, metavar="SEED", help="Send in an order that the seed decides.")
@click.option(
    "--duplicates",
    type=float,
    default=0.0,
    callback=options.share,
    metavar="SHARE",
    help="Send this share of the interactions twice, as 0.05.",
)
@click.option(
    "--guarantee", type=click.Choice(["exactly_once", "at_least_once"]), help="at_least_once: no transactions; outputs may come again."
)
@click.option("--batch-records", type=int, help="Most records of a batch.")
@options.as_json
@click.option("--plain", is_flag=True, help="Lines instead of the live view, also on a terminal.")
@options.outside
def command(
    source: Path, reader: str, broker: str, partitions: int | None, journeys: str | None, export_to: Path | None, **rest: object
) -> None:
    """Play a source through Kairos and wait until all has settled: broker, topics, workers, player, live view, summary.

    Every run has topics, consumer group and state of its own, under DATA_DIR/runs/; the newest three are kept. Nothing that it started outlives it.
    The exit code is 1 where the counts do not reconcile.
    """
    from streams.cli import export, mocked, running

    if export_to is not None:
        export.check(export_to)
    flags = {"partitions": partitions, "guarantee": rest.pop("guarantee"), "mock": False}
    if broker == mocked.NAME:
        flags = mocked.settings_for(partitions, flags["guarantee"], rest["workers"])  # type: ignore[arg-type]  # click has checked them
    said = options.settings(journeys=journeys)
    chosen = said.journeys if "journeys" in said.model_fields_set else (DEFAULT_JOURNEYS.get(reader, "brand"),)
    settings = options.settings(journeys=",".join(chosen), batch_records_max=rest.pop("batch_records"), **flags)
    if settings.mock:
        for line in mocked.CANNOT:
            click.echo(line, err=True)
    running.perform(settings, source, reader, broker, export_to, **rest)  # type: ignore[arg-type]  # click has checked them
