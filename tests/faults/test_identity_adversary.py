"""The simulator's histories on a real broker: two workers on sixteen partitions, one of them killed every few seconds, and the people are the oracle's.

What an erasure takes depends on when it comes, so there is none; histories are short enough for a timeline to hold them whole.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest
from confluent_kafka import Producer

from connectors.consumer import read_topic
from connectors.jsonl.source import READER as JSON_LINES
from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from streams.cli.settle import Watch
from streams.identity.component import COMPONENT, settled
from streams.identity.resolve import resolve
from streams.instants import DAY, HOUR
from streams.rows import NODE_KEY_BYTES, TIMELINE, decode_touch
from tests.laws.memory import POLICY
from tests.pipeline.harness import INPUTS, STALL_SECONDS_MAX, Pipeline, Worker
from tests.pipeline.sources import Source
from tests.simulation import history
from tests.simulation.history import Entry, Identifier, Ordered, Scenario, Seen, Settings
from tests.simulation.rest import People, Rest

pytestmark = pytest.mark.faults

PARTITIONS = 16
HISTORIES = 60
PORTIONS = 8
BATCH_RECORDS_MAX = 60
SECONDS = (2.0, 4.0)
"""A worker is killed so long after its input came."""


def _named(number: int, identifier: Identifier) -> Identifier:
    """An identifier of one history, which no other has."""
    kind, value = identifier
    return kind, f"+447946{number:04d}{value[-2:]}" if kind == "phone" else f"h{number}-{value}"


def _adversarial(seed: int) -> list[Entry]:
    """Interactions and commands of as many histories as the simulator would live through one after the other."""
    entries: list[Entry] = []
    for number in range(HISTORIES):
        chance = Random(f"broker {seed} {number}")
        pool = history._pool(chance)
        style = chance.choices([history._meetings, history._ladders, history._collections], [3, 6, 2])[0]
        told = history._interactions(chance, [one.identifiers for one in style(chance, pool)], spans=(50 * HOUR, 100 * DAY))
        commands = [one for one in history._commands(chance, told, Settings()) if one.kind != "erase"]
        for one in (*told, *commands):
            entries.append(
                one._replace(id=f"h{number}-{one.id}", identifiers=tuple(sorted(_named(number, each) for each in one.identifiers)))
            )
    return entries


def _portions(entries: list[Entry], directory: Path) -> list[Source]:
    """The interactions, shuffled and some of them twice, as files of which the last says the time."""
    chance = Random(1)
    lines = [msgspec.json.encode(history.wire(one)) + b"\n" for one in entries if isinstance(one, Seen)]
    lines += [line for line in lines if chance.random() < 0.1]
    chance.shuffle(lines)
    found = []
    for number in range(PORTIONS):
        path = directory / f"{number}.jsonl"
        path.write_bytes(b"".join(lines[number::PORTIONS]))
        until = history.START + 400 * DAY if number == PORTIONS - 1 else None
        found.append(Source(path, JSON_LINES, ("retail",), until))
    return found


def _command(pipeline: Pipeline, entries: list[Entry]) -> None:
    producer = Producer({"bootstrap.servers": pipeline.bootstrap, "partitioner": "murmur2_random"})
    for one in entries:
        if isinstance(one, Ordered):
            producer.produce(topics.COMMANDS, msgspec.json.encode(history.wire(one)), one.id.encode())
    assert producer.flush(60) == 0


def _people(pipeline: Pipeline) -> People:
    """Who is who, by the rows of the changelog."""
    rows = state.rows(read_topic(pipeline.bootstrap, pipeline.changelog), lambda key: key[:1] in (COMPONENT.tag, TIMELINE.tag))
    held: dict[bytes, set[str]] = {}
    for (_, key), row in rows.items():
        if key[:1] == TIMELINE.tag:
            held.setdefault(key[1 : 1 + NODE_KEY_BYTES], set()).add(decode_touch(row).id)
    person: dict[bytes, bytes] = {}
    touches: dict[bytes, set[str]] = {}
    for (_, key), row in rows.items():
        if key[:1] == COMPONENT.tag:
            component = COMPONENT.decode(row)
            for one in (*settled(component), *(one for one in resolve(component, POLICY).people if not one.fragments)):
                person |= dict.fromkeys(one.members, one.canonical)
                if one.fragments:
                    touches[one.canonical] = set().union(*(held[fragment] for fragment in one.fragments))
    return People(person, touches)


def _settle(pipeline: Pipeline, workers: list[Worker]) -> None:
    watch = Watch(pipeline.bootstrap, pipeline.app_id, (*INPUTS, topics.COMMANDS), PARTITIONS)
    try:
        deadline = time.monotonic() + STALL_SECONDS_MAX
        while not watch.is_settled(watch.look()):
            assert time.monotonic() < deadline, "commands wait"
            time.sleep(0.25)
    finally:
        watch.close()
    pipeline.await_settled(workers)


def test_the_people_are_the_oracles_whoever_is_killed(broker: EmbeddedBroker, tmp_path: Path) -> None:
    entries = _adversarial(1)
    wanted = Rest(Scenario(0, Settings(), tuple(entries)), cast(Any, None), {}).wanted
    chance, left = Random(2), 0
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), batch_records_max=BATCH_RECORDS_MAX) as pipeline:
        workers = {name: pipeline.worker(name) for name in ("one", "other")}
        for number, portion in enumerate(_portions(entries, tmp_path)):
            pipeline.play(portion)
            _command(pipeline, [one for place, one in enumerate(entries) if place % PORTIONS == number])
            name = ("one", "other")[number % 2]
            time.sleep(chance.uniform(*SECONDS))
            workers[name].check()
            workers[name].process.kill()
            workers[name].await_killed()
            left += pipeline.records_left() > 0
            workers[name] = pipeline.worker(name)
        _settle(pipeline, list(workers.values()))
        found = _people(pipeline)
        for worker in workers.values():
            worker.stop()

    assert left >= PORTIONS // 2, "most were killed when all was done"
    assert {key: found.person.get(key, key) for key in wanted.person} == wanted.person
    assert found.touches == wanted.touches
    assert len(wanted.touches) > HISTORIES
