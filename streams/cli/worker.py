"""`kairos worker`: one worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.worker import Voice


@click.command(
    epilog="\b\nExamples:\n  kairos worker --broker 127.0.0.1:9092\n  KAIROS_JOURNEYS=retail,brand kairos worker --clock replay --metrics-port 9100\n"
    "  kairos worker --json 2>worker.jsonl",
)
@options.broker
@click.option("--app-id", help="Name of this deployment: consumer group, transactional ids, changelog.")
@click.option("--partitions", type=int, help="Partitions of the co-partitioned topics.")
@click.option("--journeys", help="Names of modules in streams/journeys/, comma-separated.")
@click.option("--clock", type=click.Choice(["live", "replay"]), help="replay: deadlines fall due by the time records of a player.")
@click.option(
    "--guarantee", type=click.Choice(["exactly_once", "at_least_once"]), help="at_least_once: no transactions; outputs may come again."
)
@click.option("--metrics-port", type=int, help="Port of /metrics, /healthz and /readyz; 0 takes a free one.")
@click.option("--json", "as_json", is_flag=True, help="Say all that it says on standard error in JSON lines: {at, kind, text, ...}.")
@click.option("--leash", is_flag=True, hidden=True, help="Stop when standard input ends: the program that started this one is gone.")
def command(broker: str, leash: bool, as_json: bool, **flags: object) -> None:
    """Start a worker; it says when it is ready, and SIGTERM or Ctrl-C stops it after the batch in hand.

    Every setting can also be given as KAIROS_... in the environment or in kairos.toml. Start as many as there are partitions, on any machine.

    With --json a line's kind is waiting, metrics, ready, stopped, error or log; ready has partitions, of, group and broker, error has exitCode.
    """
    import sys

    from streams.worker import Voice

    voice = Voice(as_json)
    try:
        _run(broker, leash, voice, flags)
    except click.ClickException as failed:
        if not as_json:
            raise
        voice.say("error", failed.format_message(), exitCode=failed.exit_code)
        sys.exit(failed.exit_code)


@options.outside
def _run(broker: str, leash: bool, voice: Voice, flags: dict[str, object]) -> None:
    import sys

    from streams import app
    from streams.app import UnknownJourney
    from streams.cli import leashing, session
    from streams.worker import WorkerEnded, run

    if leash:
        leashing.hold(sys.stdin.fileno())
    settings = options.settings(**flags)
    app.policy_of(settings)  # A wrong one is told before anything is waited for.
    with session.connected(settings, broker, tell=lambda words: voice.say("waiting", words)) as kafka:
        try:
            run(settings.model_copy(update={"bootstrap": kafka.bootstrap, "app_id": kafka.app_id}), voice)
        except UnknownJourney as unknown:
            raise click.UsageError(str(unknown)) from None
        except WorkerEnded as ended:
            raise options.Failure(str(ended)) from None
