"""`kairos topics`: the topics of the contract on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.broker.admin import NewTopic

_EXAMPLES = "\b\nExamples:\n  kairos topics create --partitions 16 --broker 127.0.0.1:9092\n  kairos topics describe --json\n  kairos topics delete --yes"


@click.group("topics", epilog=_EXAMPLES)
def command() -> None:
    """Create, describe or delete the topics of the contract."""


@command.command()
@options.broker
@click.option("--partitions", type=int, help="Partitions of every topic; fixed once there is state.  [default: KAIROS_PARTITIONS or 4]")
@options.as_json
@options.outside
def create(broker: str, partitions: int | None, as_json: bool) -> None:
    """Create those topics that are missing; the ones that exist stay as they are."""
    import json

    from streams.broker import admin
    from streams.cli import session

    settings = options.settings(partitions=partitions)
    with session.connected(settings, broker) as kafka:
        wanted = declared(settings.partitions)
        made = admin.create_topics(kafka.bootstrap, wanted)
    if as_json:
        click.echo(json.dumps({"bootstrap": kafka.bootstrap, "created": made}))
        return
    for topic in wanted:
        click.echo(f"{'created' if topic.name in made else 'exists '}  {topic.name}  {topic.partitions} partitions")


@command.command()
@options.broker
@options.as_json
@options.outside
def describe(broker: str, as_json: bool) -> None:
    """Say which topics there are, with what settings and how many offsets are taken."""
    import json

    from rich.table import Table

    from schemas import topics
    from streams.broker import admin
    from streams.cli import screen, session

    with session.connected(options.settings(), broker) as kafka:
        found = {topic.name: topic for topic in admin.describe_topics(kafka.bootstrap, topics.BY_NAME)}
        ends = admin.end_offsets(kafka.bootstrap, found) if found else {}
    taken = {name: sum(end for (topic, _), end in ends.items() if topic == name) for name in found}
    if as_json:
        listed = [
            {"name": name, "partitions": topic.partitions, "config": topic.config, "offsets": taken[name]} for name, topic in found.items()
        ]
        click.echo(
            json.dumps({"bootstrap": kafka.bootstrap, "topics": listed, "missing": [name for name in topics.BY_NAME if name not in found]})
        )
        return
    table = Table("topic", "partitions", "cleanup", "offsets", "about", box=None, header_style="bold")
    for declaration in topics.TOPICS:
        topic = found.get(declaration.name)
        cells = (
            (str(topic.partitions), topic.config.get("cleanup.policy", "delete"), f"{taken[topic.name]:,}")
            if topic
            else ("[red]missing", "", "")
        )
        table.add_row(declaration.name, *cells, declaration.about)
    screen.console().print(table)


@command.command()
@options.broker
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.outside
def delete(broker: str, yes: bool) -> None:
    """Delete the topics of the contract, with every record in them."""
    from schemas import topics
    from streams.broker import admin
    from streams.cli import session

    with session.connected(options.settings(), broker) as kafka:
        found = admin.describe_topics(kafka.bootstrap, topics.BY_NAME)
        if found and not yes:
            click.confirm(f"Delete {len(found)} topics at {kafka.bootstrap} with all their records?", abort=True)
        admin.delete_topics(kafka.bootstrap, [topic.name for topic in found])
    click.echo(f"Deleted {len(found)} topics at {kafka.bootstrap}.")


def declared(partitions: int) -> list[NewTopic]:
    """The contract's topics as the broker's administration takes them."""
    from schemas import topics
    from streams.broker import admin

    return [admin.NewTopic(topic.name, topic.partitions or partitions, topics.configuration(topic)) for topic in topics.TOPICS]
