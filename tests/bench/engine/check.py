"""Whether a system did the work: its outputs and its changelog, as a reader of committed records finds them, against the answer.

The rule this module owns: a system that lost, doubled or changed anything has no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from msgspec import DecodeError

from tests.bench.engine.systems import System
from tests.bench.engine.work import Answer, Sum, canonical, unpack

_RECORDS_AT_ONCE = 10_000
_WAIT_SECONDS = 0.2
_SILENCE_SECONDS_MAX = 20.0


def difference(bootstrap: str, system: System, run: str, source: str, outputs: str, answer: Answer) -> str | None:
    """What is wrong, in words; None if nothing is."""
    if not system.outputs:
        return None
    said = Sum()
    for key, value in records(bootstrap, outputs):
        said.add(key, value or b"")
    if (said.count, said.digest) != (answer.outputs, answer.outputs_digest):
        return (
            f"{said.count:,} outputs, {answer.outputs:,} were to come"
            if said.count != answer.outputs
            else "other outputs than were to come"
        )
    if system.states is None:
        return None
    last: dict[bytes, bytes] = {}
    for key, value in records(bootstrap, system.states.topic(run, source)):
        customer = system.states.customer(key)
        if customer is not None and value is not None:
            last[customer] = value
    kept = Sum()
    try:
        for customer, value in last.items():
            kept.add(customer, canonical(unpack(value)))
    except DecodeError as error:
        return f"the changelog holds what is no state: {error}"
    if (kept.count, kept.digest) != (answer.customers, answer.states_digest):
        return f"the changelog holds {kept.count:,} customers, {answer.customers:,} were to be there, or other states"
    return None


def records(bootstrap: str, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Key and value of every committed record that the topic holds."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-check",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        left, silent = len(partitions), 0.0
        while left:
            found = consumer.consume(_RECORDS_AT_ONCE, _WAIT_SECONDS)
            silent = 0.0 if found else silent + _WAIT_SECONDS
            if silent > _SILENCE_SECONDS_MAX:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"the end of {topic} does not come"))
            for record in found:
                error = record.error()
                if error is None:
                    yield record.key(), record.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    left -= 1
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
