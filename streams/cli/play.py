"""`kairos play`: the player alone."""

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="\b\nExamples:\n  kairos play --source data/online-retail.csv.gz --reader online-retail --until 2011-12-10T00:00:00Z --broker 127.0.0.1:9092\n"
    "  kairos play --source interactions.jsonl --reader jsonl --rate 500"
)
@click.option(
    "--source", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The file to play; plain or gzip."
)
@click.option("--reader", required=True, callback=options.reader, help="Who reads it: online-retail or jsonl.")
@options.broker
@click.option(
    "--until", callback=options.instant, metavar="TIME", help="Say this instant at the end (RFC 3339): deadlines up to it fall due."
)
@click.option("--partitions", type=int, help="Partitions of the topics.  [default: KAIROS_PARTITIONS or 4]")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Interactions a second; without it, as fast as it goes.")
@click.option("--shuffle", "shuffle_seed", type=int, metavar="SEED", help="Send in an order that the seed decides.")
@click.option(
    "--duplicates",
    type=float,
    default=0.0,
    callback=options.share,
    metavar="SHARE",
    help="Send this share of the interactions twice, as 0.05.",
)
@options.as_json
@options.outside
def command(source: Path, reader: str, broker: str, partitions: int | None, as_json: bool, **how: object) -> None:
    """Play a source onto a cluster whose workers are running.

    The times it says (and --until) move the clock of workers under `--clock replay`; live ones refuse them.
    """
    import json

    from connectors.producer import play
    from connectors.runtime.readers import readers
    from schemas import topics
    from streams.cli import session

    settings = options.settings(partitions=partitions)
    with session.connected(settings, broker) as kafka:
        played = play(
            kafka.bootstrap,
            readers()[reader],
            source,
            topic=topics.INTERACTIONS,
            partitions=settings.partitions,
            secret=settings.hash_key(),
            **how,  # type: ignore[arg-type]  # click has checked them
        )
    if as_json:
        click.echo(json.dumps({**played._asdict(), "read": played.read, "refused": dict(played.refused)}))
        return
    refused = sum(played.refused.values())
    sent = f"{played.interactions:,} interactions, {played.duplicates:,} duplicates, {refused:,} refused"
    click.echo(f"Sent {sent} in {played.seconds:.1f} s to {topics.INTERACTIONS} at {kafka.bootstrap}.")
