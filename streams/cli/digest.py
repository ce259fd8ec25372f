"""`kairos digest`: one hash over all customers' states."""

import click

from streams.cli import options


@click.command(epilog="\b\nExamples:\n  kairos digest\n  kairos digest --broker 127.0.0.1:9092 --json")
@options.broker
@options.as_json
@options.outside
def command(broker: str, as_json: bool) -> None:
    """A hash over all customers' states.

    Equal states give equal hashes, whatever the number of partitions and workers and the order in which the interactions came (with the same
    secret: customer ids depend on it). It is read from the changelog, so nothing may be in flight: wait until the workers have settled.
    """
    import json

    from connectors.consumer import read_topic
    from streams.cli import session, state

    with session.connected(options.settings(), broker) as kafka:
        interactions, digest = state.totals(read_topic(kafka.bootstrap, kafka.changelog))
    click.echo(json.dumps({"appId": kafka.app_id, "interactions": interactions, "digest": digest}) if as_json else digest)
