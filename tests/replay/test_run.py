"""Feeding on a real Kafka: what a scope means, once each, where it lay, in its order; and whoever dies at it leaves nothing undone and nothing twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaError, Message, Producer

from connectors.consumer import Record, read_topic
from schemas import record as wire
from schemas import topics
from schemas.dead_letter import letter
from schemas.interaction import ORIGIN_HEADER, TIME_HEADER
from streams import instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.replay import clean, plan, reading, run
from streams.replay.plan import Plan, Scope, Versions
from streams.replay.repair import Repair
from streams.replay.run import Fed, Feeder
from streams.replay.shadow import FED
from streams.rewrite import moving
from streams.rewrite.moving import Copies, Writer
from tests.pipeline.harness import Pipeline

PARTITIONS = 2
RECORDS = 60
BROKEN = 7
"""Every so many lacks its timestamp."""
UNTIL = 1_900_000_000_000_000
NOTHING = Versions(journeys=(), rules={}, policy="")
MAPPING = {"bad_timestamp": Repair(rename={"time": "timestamp"})}


class Died(Exception):
    """Stands for a kill: nothing is tidied up behind it."""


@pytest.fixture(scope="module")
def live(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Live topics with interactions of two systems on two partitions, a command, and a dead letter for each that is broken."""
    with Pipeline(broker.bootstrap, tmp_path_factory.mktemp("live"), PARTITIONS, ("retail",)):
        places: dict[int, tuple[int, int]] = {}
        producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
        for number in range(RECORDS):
            producer.produce(topics.INTERACTIONS, _value(number), b"k", partition=number % PARTITIONS, on_delivery=_noting(places, number))
        producer.produce(topics.COMMANDS, b"{}", b"c", partition=1)
        producer.produce(topics.INTERACTIONS, b'{"time":1}', partition=0, headers=[(TIME_HEADER, b"1")])
        producer.flush(120)
        for number, (partition, offset) in places.items():
            if number % BROKEN == 0:
                told = letter("bad_timestamp", "", topics.INTERACTIONS, partition, offset, b"k", _value(number), "2026-03-01T09:00:00Z")
                producer.produce(topics.DEAD_LETTERS, wire.encode(told), b"d")
        producer.flush(120)
        yield broker.bootstrap


def _value(number: int) -> bytes:
    said: dict[str, Any] = {
        "messageId": f"m{number}",
        "userId": "1",
        "event": "Seen",
        "source": {"system": ("shop", "app")[number % 3 == 0]},
    }
    return orjson.dumps(said | {"time" if number % BROKEN == 0 else "timestamp": 1_700_000_000 + number})


def _noting(places: dict[int, tuple[int, int]], number: int) -> Any:
    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        places[number] = (message.partition() or 0, message.offset() or 0)

    return note


def planned(bootstrap: str, name: str, scope: Scope, **more: Any) -> Plan:
    """A plan as the command freezes it, under the live clock."""
    said: dict[str, Any] = {"repairs": {}, "clock": "live", "until": UNTIL} | more
    letters = plan.letters(bootstrap) if said["repairs"] else []
    return Plan(
        name=name, app_id="kairos", cluster="", partitions=PARTITIONS, scope=scope, inputs=plan.inputs(bootstrap, scope), letters=letters,
        outputs={}, live=NOTHING, shadow=NOTHING, policy=None, in_flight=0, **said,
    )  # fmt: skip


@pytest.fixture
def fed(live: str, app_id: str) -> Iterator[Any]:
    """Call it with a scope; what is on the shadow's interactions then, and what was counted. The shadow is gone afterwards."""
    name = app_id.removeprefix("test-")
    made: list[Plan] = []

    def feed(scope: Scope, **more: Any) -> tuple[list[Record], Fed]:
        made.append(planned(live, name, scope, **more))
        _create(live, made[0])
        with Feeder(live, made[0], run.mended(live, made[0])) as feeder:
            found = feeder.feed(lambda _: None)
        return _shadow(live, made[0]), found

    yield feed
    clean.clean(live, made[0].own)
    assert admin.topics_like(live, "replay.") == []


def _create(bootstrap: str, of: Plan) -> None:
    """Those of its topics that are fed: the others cost time."""
    admin.create_topics(bootstrap, [admin.NewTopic(of.own.topic(name), PARTITIONS, {}) for name in FED])


def _shadow(bootstrap: str, of: Plan) -> list[Record]:
    """The interactions of the shadow, once the last transaction's markers are written."""
    topic = of.own.topic(topics.INTERACTIONS)
    give_up = time.monotonic() + 120
    while admin.end_offsets(bootstrap, [topic]) != admin.end_offsets(bootstrap, [topic], committed=False):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return list(read_topic(bootstrap, topic))


def _numbers(records: list[Record]) -> list[int]:
    """Which of the interactions they are."""
    return [int(orjson.loads(one.value or b"")["messageId"][1:]) for one in records if ORIGIN_HEADER in dict(one.headers)]


def test_all_is_fed_once_where_it_lay_in_its_order_with_its_origin(fed: Any) -> None:
    records, found = fed(Scope())

    assert sorted(_numbers(records)) == list(range(RECORDS))
    for partition in range(PARTITIONS):
        of = [one for one in records if one.partition == partition and ORIGIN_HEADER in dict(one.headers)]
        assert _numbers(of) == list(range(partition, RECORDS, PARTITIONS))
        assert [dict(one.headers)[ORIGIN_HEADER].split(b"/")[:2] for one in of] == [
            [b"%d" % partition, b"%d" % place] for place in range(len(of))
        ]
        assert {dict(one.headers)[ORIGIN_HEADER].split(b"/")[3] for one in of} == {b"live"}
        assert orjson.loads([one for one in records if one.partition == partition][-1].value or b"") == {"time": instants.text(UNTIL)}
    assert found.done == found.offsets == RECORDS + 2
    assert found.counts["fed"] == RECORDS + 1, "the command too"


def test_where_a_player_said_the_time_it_is_fed_as_it_was(fed: Any) -> None:
    records, found = fed(Scope(), clock="replay", until=None)

    assert [one.value for one in records if TIME_HEADER in dict(one.headers)] == [b'{"time":1}']
    assert found.counts["times"] == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(sources=("app",)), {number for number in range(RECORDS) if number % 3 == 0}),
        (Scope(offsets={1: (5, 8)}), {11, 13, 15}),
        (Scope(arrived_to=1), set()),
        (Scope(arrived_from=UNTIL), set()),
        (Scope(arrived_from=1, arrived_to=UNTIL), set(range(RECORDS))),
        (
            Scope(occurred_from=1_700_000_010_000_000, occurred_to=1_700_000_020_000_000),
            {number for number in range(10, 20) if number % BROKEN},
        ),
    ],
    ids=["source", "offsets", "arrived before", "arrived after", "arrived within", "occurred"],
)
def test_a_scope_means_what_it_says(fed: Any, scope: Scope, expected: set[int]) -> None:
    records, _ = fed(scope)

    assert set(_numbers(records)) == expected


def test_a_mended_record_comes_in_its_place_and_once(fed: Any) -> None:
    records, found = fed(Scope(), repairs=MAPPING)

    assert sorted(_numbers(records)) == list(range(RECORDS))
    assert all(b'"time":' not in (one.value or b"") for one in records if ORIGIN_HEADER in dict(one.headers))
    assert found.counts["repaired"] == len(range(0, RECORDS, BROKEN))


def test_of_the_dead_letters_alone_nothing_else_is_fed(fed: Any) -> None:
    records, found = fed(Scope(only_dead_letters=True), repairs=MAPPING)

    assert sorted(_numbers(records)) == list(range(0, RECORDS, BROKEN))
    assert found.counts["repaired"] == len(records) - PARTITIONS, "and the time at each partition's end"


def test_of_the_dead_letters_those_are_fed_that_the_scope_means(fed: Any) -> None:
    records, found = fed(Scope(only_dead_letters=True, offsets={1: (0, 10)}), repairs=MAPPING)

    assert sorted(_numbers(records)) == [7]
    assert found.counts["outside"] == 8


def test_who_dies_at_it_leaves_nothing_undone_and_nothing_twice(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of = planned(live, "dies", Scope(), repairs=MAPPING)
    _create(live, of)
    monkeypatch.setattr(run, "FETCHED_MAX", 7)
    deaths, at = 0, [0]

    def die(fed: Fed) -> None:
        if fed.done > at[0]:
            at[0] = fed.done
            raise Died

    try:
        for _ in range(200):
            feeder = Feeder(live, of, run.mended(live, of)).__enter__()
            try:
                found = feeder.feed(die)
                break
            except Died:  # Neither closed nor flushed: its transactional id is taken from it.
                deaths += 1
        records = _shadow(live, of)

        assert deaths > 5
        assert Counter(_numbers(records)) == Counter(range(RECORDS))
        assert found.counts == {"fed": RECORDS + 1 - 9, "repaired": 9, "times": found.counts["times"]}
    finally:
        clean.clean(live, of.own)


def test_a_rate_is_kept(live: str) -> None:
    of = planned(live, "slow", Scope())
    _create(live, of)
    try:
        with Feeder(live, of, rate=40) as feeder:
            began = time.monotonic()
            feeder.feed(lambda _: None)

        assert time.monotonic() - began > RECORDS / 40 * 0.8
    finally:
        clean.clean(live, of.own)


def test_what_was_moved_is_fed_once_and_came_when_it_came_first(live: str, fed: Any) -> None:
    """The last test here: it moves what the others feed."""
    place, before = (topics.INTERACTIONS, 0), time.time_ns() // 1000
    with Writer(live, place) as writer:
        end = writer.end()
        moving.copy(writer, reading.read(live, {place: end}), end, lambda _: False, Copies(), {}, 0, lambda _: None)
    admin.delete_records(live, {place: end})

    records, found = fed(Scope(), repairs=MAPPING)

    assert Counter(_numbers(records)) == Counter(range(RECORDS))
    assert (found.counts["repaired"], found.counts["moved"]) == (9, 5), "mended ones of the first partition come by themselves"
    later = planned(live, "later", Scope(arrived_from=before))
    _create(live, later)
    try:
        with Feeder(live, later) as feeder:
            counts = feeder.feed(lambda _: None).counts
        assert (counts["fed"], counts["outside"]) == (1, RECORDS // PARTITIONS), "the command alone"
    finally:
        clean.clean(live, later.own)
