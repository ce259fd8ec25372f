"""Over a thousand malformed records on a real broker, among good ones: each is a dead letter with the fitting reason, and the worker goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from random import Random
from time import time
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaError, Message, Producer

from connectors.consumer import read_topic
from schemas import record as wire
from schemas import topics
from schemas.dead_letter import ORIGINAL_BYTES_MAX, DeadLetter
from schemas.interaction import AHEAD_SECONDS_MAX
from streams.broker.embedded import EmbeddedBroker
from tests.intake.kinds import KINDS, Bad, bytes_of, good
from tests.pipeline.harness import Pipeline, Worker

SAMPLES = 12
"""Of each kind: together over a thousand."""
GOOD_AMONG_BAD = 3
"""After so many bad ones comes a good one."""
KEYS = (None, b"", b"\xff\xfe\x00", b"u-1", b"k" * 5_000)
AHEAD = ("far future", "future that the sender vouches for")
"""These kinds are ahead of one day's reception; here the broker's clock says when they are received."""


class Sent(NamedTuple):
    """A record as it was sent, the kind it is of, and the reason that fits."""

    kind: str
    reason: str
    key: bytes | None
    original: bytes


class Flood(NamedTuple):
    """What was sent, by (partition, offset); what came of it."""

    bad: dict[tuple[int, int], Sent]
    good: list[dict[str, object]]
    letters: list[DeadLetter]
    counts: Counter[tuple[str, ...]]
    profiles: dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def flood(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flood]:
    """Everything is sent, and one good record more when all has settled."""
    with Pipeline(broker.bootstrap, tmp_path_factory.mktemp("flood"), 4, ("retail",), clock="live") as pipeline:
        (worker,) = pipeline.start(1)
        bad, sent = _send(broker.bootstrap)
        pipeline.await_settled([worker])
        sent.append(_afterwards(broker.bootstrap))
        pipeline.await_settled([worker])
        letters = [wire.decode(DeadLetter, record.value or b"") for record in read_topic(broker.bootstrap, topics.DEAD_LETTERS)]
        yield Flood(bad, sent, letters, _counts(worker), pipeline.outcome().profiles)
        worker.stop()


def test_there_are_a_thousand_payloads_of_thirty_kinds(flood: Flood) -> None:
    assert len(flood.bad) >= 1_000
    assert len({sent.kind for sent in flood.bad.values()}) >= 30


def test_each_is_a_dead_letter_with_the_fitting_reason(flood: Flood) -> None:
    found = Counter((letter.topic, letter.partition, letter.offset, letter.reason) for letter in flood.letters)

    assert found == Counter((topics.INTERACTIONS, *place, sent.reason) for place, sent in flood.bad.items())
    assert {name[1]: count for name, count in flood.counts.items() if name[0] == "kairos_interactions_dead" and count} == Counter(
        sent.reason for sent in flood.bad.values()
    )


def test_each_dead_letter_holds_what_it_was_made_of(flood: Flood) -> None:
    for letter in flood.letters:
        sent = flood.bad[letter.partition, letter.offset]
        assert letter.original == sent.original[:ORIGINAL_BYTES_MAX], sent.kind
        assert letter.original_size == len(sent.original), sent.kind
        assert letter.original_sha256 == sha256(sent.original).hexdigest(), sent.kind
        assert letter.original_key == sent.key, sent.kind
        assert letter.detail, sent.kind


def test_good_ones_among_them_are_applied_and_the_worker_goes_on(flood: Flood) -> None:
    orders = Counter(str(value["userId"]) for value in flood.good)

    assert len(flood.good) > 300
    assert flood.counts["kairos_interactions_applied",] == len(flood.good)
    assert _orders(flood.profiles) == orders
    assert orders["u-afterwards"] == 1


def _send(bootstrap: str) -> tuple[dict[tuple[int, int], Sent], list[dict[str, object]]]:
    chance = Random(5)
    samples = [kind for kind in KINDS for _ in range(SAMPLES)]
    chance.shuffle(samples)
    bad: dict[tuple[int, int], Sent] = {}
    sent: list[dict[str, object]] = []
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "message.max.bytes": 2_000_000})
    for number, kind in enumerate(samples):
        value, headers = _ahead(chance) if kind.name in AHEAD else kind.make(chance)
        key = chance.choice(KEYS)
        told = Sent(kind.name, kind.reason, key, value or b"")
        producer.produce(topics.INTERACTIONS, value, key, headers=list(headers), on_delivery=_noting(bad, told))
        producer.poll(0)
        if number % GOOD_AMONG_BAD == 0:
            sent.append(good(chance) | {"messageId": f"good-{number}"})
            producer.produce(topics.INTERACTIONS, bytes_of(sent[-1]), chance.choice(KEYS))
    assert producer.flush(120) == 0
    assert len(bad) == len(samples)
    return bad, sent


def _noting(bad: dict[tuple[int, int], Sent], told: Sent) -> object:
    """What notes where a record came to lie."""

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        bad[message.partition() or 0, message.offset() or 0] = told

    return note


def _ahead(chance: Random) -> Bad:
    """Further ahead than a clock may be, by the clock that the broker goes by."""
    timestamp = int(time()) + AHEAD_SECONDS_MAX + chance.randrange(3_600, 10**8)
    return Bad(bytes_of(good(chance) | {"timestamp": timestamp} | chance.choice([{}, {"receivedAt": timestamp}])))


def _afterwards(bootstrap: str) -> dict[str, object]:
    last = good(Random(6)) | {"messageId": "afterwards", "userId": "u-afterwards"}
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topics.INTERACTIONS, bytes_of(last))
    assert producer.flush(120) == 0
    return last


def _counts(worker: Worker) -> Counter[tuple[str, ...]]:
    worker.check()
    return worker.counts()


def _orders(profiles: dict[str, dict[str, object]]) -> Counter[str]:
    """Orders by user id."""
    found: Counter[str] = Counter()
    for profile in profiles.values():
        (user,) = profile["identifiers"]["user_id"]  # type: ignore[index]  # A profile as plain JSON.
        found[user] += sum(totals["orders"] for totals in profile["totals"].values())  # type: ignore[attr-defined]  # As above.
    return found
