"""`kairos tail`: the newest records of a topic, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from streams.cli import options
from streams.cli.names import SHORT, full

if TYPE_CHECKING:
    from connectors.consumer import Record


def _topic(_ctx: click.Context, parameter: click.Parameter, name: str) -> str:
    found = full(name)
    if found is None:
        raise click.BadParameter(f"there is no topic {name!r}; there are: {', '.join(SHORT)}, or their full names.", param=parameter)
    return found


@click.command(
    epilog="\b\nExamples:\n  kairos tail moments -n 20\n  kairos tail stages --follow\n  kairos tail profiles --from-beginning --json > profiles.jsonl\n"
    f"\b\nTopics: {', '.join(SHORT)}.",
)
@click.argument("topic", callback=_topic)
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="So many of the newest records.")
@click.option("--from-beginning", is_flag=True, help="All records, each partition in its order.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@options.broker
@options.as_json
@options.outside
def command(topic: str, count: int, from_beginning: bool, follow: bool, broker: str, as_json: bool) -> None:
    """The newest records of TOPIC as readable lines; with --json the wire values, one a line. Only what is committed is shown.

    The newest are those that Kafka took last, over all partitions, oldest first; the time on a line is when it occurred, which may be another order.
    """
    import sys
    import time
    from contextlib import suppress

    from connectors.consumer import follow_topic, read_topic
    from streams.cli import session

    show = _raw if as_json else _readable()
    with session.connected(options.settings(), broker) as kafka, suppress(KeyboardInterrupt):
        if follow:
            now_ms = int(time.time() * 1000)
            come = follow_topic(kafka.bootstrap, topic, from_beginning=from_beginning or count > 0)
            for record in come if from_beginning else newest_then_all(come, count, now_ms):
                if record is not None:
                    show(record)
                    sys.stdout.flush()
        else:
            records = read_topic(kafka.bootstrap, topic)
            for record in records if from_beginning else newest(records, count):
                show(record)


def newest(records: Iterator[Record], count: int) -> list[Record]:
    """The newest `count` by the broker's time, oldest first."""
    import heapq

    return sorted(heapq.nlargest(count, records, key=_age), key=_age)


def newest_then_all(records: Iterator[Record | None], count: int, now_ms: int) -> Iterator[Record]:
    """Of those that lay there at `now_ms` the newest `count`, then all that come."""
    waiting: list[Record] | None = []
    for record in records:
        if waiting is not None:
            if record is not None and record.timestamp_ms <= now_ms:
                waiting.append(record)
                if len(waiting) > 2 * count + 1000:
                    waiting = newest(iter(waiting), count)
                continue
            yield from newest(iter(waiting), count)
            waiting = None
        if record is not None:
            yield record


def _age(record: Record) -> tuple[int, int, int]:
    return record.timestamp_ms, record.partition, record.offset


def _raw(record: Record) -> None:
    import base64
    import json

    value = record.value
    if value is None or value[:1] not in (b"{", b"["):  # deleted, or an internal message, which is no JSON
        key = record.key.hex() if record.key is not None else None
        value = json.dumps({"key": key, "base64": base64.b64encode(value).decode() if value is not None else None}).encode()
    click.echo(value)


def _readable() -> Callable[[Record], None]:
    from streams.cli import lines, screen

    console = screen.console()
    return lambda record: console.print(lines.line(record.topic, record.key, record.value), soft_wrap=True)
