"""`kairos broker`: the embedded Kafka in the foreground."""

from pathlib import Path

import click

from streams.cli import options

LOOK_SECONDS = 1.0


@click.command(
    epilog="\b\nExamples:\n  kairos broker\n  kairos broker --last-run          # the Kafka of the last `kairos run`, with its records",
)
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), help="Where its data lies.  [default: DATA_DIR/broker]")
@click.option("--last-run", is_flag=True, help="On the data of the last run.")
@options.as_json
@options.outside
def command(directory: Path | None, last_run: bool, as_json: bool) -> None:
    """Start the embedded Kafka and keep it in the foreground until Ctrl-C.

    Prints its address. The other commands find it by themselves while it runs; its data stays for the next start.
    """
    import json
    import signal

    from streams.broker.embedded import EmbeddedBroker
    from streams.cli import session

    settings = options.settings()
    if last_run:
        last = session.recall(settings.data_dir)
        if last is None or last.broker != session.EMBEDDED:
            raise options.Failure("There is no last run with an embedded Kafka here; `kairos run` makes one.")
        directory = Path(last.directory) / "broker"
    stopping = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # a signal while Kafka starts is answered once it can be stopped cleanly
    with EmbeddedBroker(directory or settings.data_dir / "broker") as kafka:
        if as_json:
            click.echo(json.dumps({"bootstrap": kafka.bootstrap, "clusterId": kafka.cluster_id, "directory": str(kafka.data_directory)}))
        else:
            click.echo(f"Kafka listens at {kafka.bootstrap}, its data is in {kafka.data_directory}. Ctrl-C stops it.")
            click.echo(f"For other programs: export KAFKA_BOOTSTRAP={kafka.bootstrap}")
        while signal.sigtimedwait(stopping, LOOK_SECONDS) is None:
            kafka.check()
