"""Puts the dead letters that a replay has mended back onto the live topic, once somebody has seen in the shadow what comes of them.

The rule this module owns: of all that belongs to a replay this alone writes to what is live. They are put back once: they and the mark that says so become
visible in one transaction. And each keeps its id and the time of its reception, so that another replay that puts the same one back changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import KafkaException, Producer, TopicPartition

from schemas import topics
from schemas.dead_letter import DeadLetter
from schemas.interaction import derived_id
from streams import instants
from streams.broker import admin
from streams.replay import reading, run
from streams.replay.plan import Plan
from streams.replay.repair import Letters, Mended, Place

REQUEST_SECONDS = 60.0
MARK = (topics.DEAD_LETTERS, 0)
"""Where the group that puts back has an offset when it has done so."""

_DECODE = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode


class Chosen(NamedTuple):
    """What is to be put back, by where it lay first; and how many are left, by the reason for which the shadow has refused them again."""

    records: Mapping[Place, Mended]
    refused: Mapping[str, int]


def choose(plan: Plan, letters: Letters, refused: Mapping[Place, str]) -> Chosen:
    """Of the mended those that the scope means and the shadow has taken; `refused`: what it has refused, and why."""
    meant = {
        place: one
        for place, one in letters.mended.items()
        if plan.scope.has(*place, one.timestamp_ms) and plan.scope.verdict(one.value) == "fed"
    }
    again = Counter(refused[place] for place in meant if place in refused)
    return Chosen({place: one for place, one in meant.items() if place not in refused}, again)


def refused(bootstrap: str, plan: Plan) -> dict[Place, str]:
    """The interactions that the shadow has refused, by where they lay first."""
    ends = admin.end_offsets(bootstrap, [plan.own.topic(topics.DEAD_LETTERS)])
    found = (msgspec.json.decode(one.value or b"", type=DeadLetter) for one in reading.read(bootstrap, ends))
    return {(letter.partition, letter.offset): letter.reason for letter in found if letter.topic == topics.INTERACTIONS}


def put_back(bootstrap: str, plan: Plan, records: Mapping[Place, Mended]) -> bool:
    """Put them back, all or none, each on the partition where it lay; False where that was done before."""
    group = plan.own.promoter
    producer = Producer({**run.PRODUCER, "bootstrap.servers": bootstrap, "transactional.id": group})
    consumer = reading.consumer(bootstrap, group)
    try:
        producer.init_transactions(REQUEST_SECONDS)  # What a predecessor left open is aborted, so the mark is what it committed.
        (mark,) = consumer.committed([TopicPartition(*MARK)], timeout=REQUEST_SECONDS)
        if mark.error is not None:
            raise KafkaException(mark.error)
        if mark.offset >= 0:
            return False
        producer.begin_transaction()
        for (partition, offset), one in sorted(records.items()):
            value = as_it_came(one, partition, offset, live=plan.clock == "live")
            run.produce(producer, topics.INTERACTIONS, value, one.key, partition, [])
        producer.send_offsets_to_transaction([TopicPartition(*MARK, 1)], consumer.consumer_group_metadata(), REQUEST_SECONDS)
        producer.commit_transaction(REQUEST_SECONDS)
        return True
    finally:
        consumer.close()
        producer.purge()


def as_it_came(one: Mended, partition: int, offset: int, live: bool) -> bytes:
    """The mended record with the id that it had by its place, where it says none, and, for the live clock, with when it was received."""
    said = _DECODE(one.value)
    if said.get("messageId") is None:
        said["messageId"] = derived_id(partition, offset)
    if live:
        received = one.timestamp_ms * 1000
        given = instants.read(written) if isinstance(written := said.get("receivedAt"), str | int | float) else None
        said["receivedAt"] = instants.text(received if given is None else min(given, received))
    return _ENCODE(said)
