"""`kairos worker`: one worker process."""

import click

from streams.cli import options


@click.command(
    epilog="\b\nExamples:\n  kairos worker --broker 127.0.0.1:9092\n  KAIROS_JOURNEYS=retail,brand kairos worker --clock replay --metrics-port 9100",
)
@options.broker
@click.option("--app-id", help="Name of this deployment: consumer group, transactional ids, changelog.")
@click.option("--partitions", type=int, help="Partitions of the co-partitioned topics.")
@click.option("--journeys", help="Names of modules in streams/journeys/, comma-separated.")
@click.option("--clock", type=click.Choice(["live", "replay"]), help="replay: deadlines fall due by the time records of a player.")
@click.option("--metrics-port", type=int, help="Port of /metrics and /health; 0 takes a free one.")
@click.option("--leash", is_flag=True, hidden=True, help="Stop when standard input ends: the program that started this one is gone.")
@options.outside
def command(broker: str, leash: bool, **flags: object) -> None:
    """Start a worker; it says when it is ready, and SIGTERM or Ctrl-C stops it after the batch in hand.

    Every setting can also be given as KAIROS_... in the environment or in kairos.toml. Start as many as there are partitions, on any machine.
    """
    import sys

    from streams.app import UnknownJourney
    from streams.cli import leashing, session
    from streams.worker import WorkerEnded, run

    if leash:
        leashing.hold(sys.stdin.fileno())
    settings = options.settings(**flags)
    with session.connected(settings, broker) as kafka:
        try:
            run(settings.model_copy(update={"bootstrap": kafka.bootstrap, "app_id": kafka.app_id}))
        except UnknownJourney as unknown:
            raise click.UsageError(str(unknown)) from None
        except WorkerEnded as ended:
            raise options.Failure(str(ended)) from None
