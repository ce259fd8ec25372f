"""What subscribers and the rows hold after an erasure: nothing of who was erased, and of everybody else what a Kairos says that never knew them."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams.cli import facts, state
from streams.identity import messages
from streams.identity.component import COMPONENT
from streams.identity.identifiers import Identifier, normaliser
from streams.identity.past import Mark
from streams.rows import NodeKey, decode_touch
from tests.cli.values import Message
from tests.laws.memory import POLICY, Memory
from tests.laws.test_order import RULES, START, UNTIL, customers, history, standing, told

SEEDS = (*range(100), 144, 156, 352, 440, 467)
"""The last ones erase somebody of whom the same batch has just made two, or twice in a batch."""
AT = START + 501 * instants.DAY
"""All that the histories tell occurred before."""
Value = dict[str, Any]
NAMED = {"userId": "user_id", "anonymousId": "anonymous_id"}


class Lived(NamedTuple):
    """A Kairos at rest after erasures, the history that it was told, and where its logs and its changelog ended when it first came to rest."""

    memory: Memory
    events: list[Value]
    marks: dict[NodeKey, Mark]
    ends: dict[str, int]
    changelog: int


def identifiers(event: Value) -> dict[NodeKey, str]:
    """The identifiers of a generated interaction: their text by key."""
    said = [(kind, event[name]) for name, kind in NAMED.items() if name in event]
    said += [(kind, value) for kind, values in event["identifiers"].items() for value in values]
    read = [normaliser(POLICY).normalise(kind, value) for kind, value in said]
    return {one.key: one.value for one in read if isinstance(one, Identifier)}


def _marks(memory: Memory) -> dict[NodeKey, Mark]:
    found: dict[NodeKey, Mark] = {}
    for store in memory.rows:
        for key, row in store.rows.items():
            component = COMPONENT.decode(row) if key.startswith(COMPONENT.tag) else None
            found.update(component.past.erased if component is not None and component.past is not None else {})
    return found


def live(seed: int) -> Lived:
    """Interactions in any order, somebody erased among them or after them, duplicates of all; then all of it once more."""
    chance = random.Random(seed)
    events = history(seed)
    memory = Memory(RULES, chance.choice([1, 2, 5]), seed, crash=chance.choice([0.0, 0.2]), batch=chance.choice([1, 5, 40]))
    stream = [*events, *(event for event in events if chance.random() < 0.2)]
    chance.shuffle(stream)
    named = sorted({key for event in events for key in identifiers(event)})
    when = round(len(stream) * chance.choice([0.3, 0.7, 1.0]))
    for place, event in enumerate([*stream, None]):
        if place == when:
            for order in range(chance.choice([1, 1, 2])):
                one = chance.choice(named)
                for _ in range(chance.choice([1, 2])):
                    memory.erase(one, AT, order)
        if event is not None:
            memory.produce(event)
        for _ in range(chance.randint(0, 2)):
            memory.step()
    if chance.random() < 0.5:
        memory.tell_time(UNTIL)
    memory.run()
    ends, changelog = {topic: len(log) for topic, log in memory.log.items()}, len(memory.changelog)
    for event in stream[: len(stream) // 2]:
        memory.produce(event)
    memory.tell_time(UNTIL)
    memory.run()
    return Lived(memory, events, _marks(memory), ends, changelog)


def is_void(event: Value, marks: dict[NodeKey, Mark]) -> bool:
    keys = identifiers(event)
    return any(key in marks and (marks[key].own or key == min(keys)) for key in keys)


def _living(memory: Memory) -> tuple[set[str], set[str]]:
    """The customers that a subscriber knows, having checked versions and redirects, and those whose profile is empty."""
    newest: dict[str, Value] = {}
    versions: dict[str, int] = {}
    empty: set[str] = set()
    for record in memory.log[topics.PROFILES]:
        name = (record.key or b"").decode()
        if record.value is None:
            newest.pop(name, None)
            empty.add(name)
            continue
        value = msgspec.json.decode(record.value)
        assert versions.get(name, 0) < value["version"], "versions go up"
        versions[name] = value["version"]
        newest[name] = value
        empty.discard(name)
    redirects = {name: value["mergedInto"] for name, value in newest.items() if value.get("mergedInto") is not None}
    for name in redirects:
        to, steps = name, 0
        while to in redirects and steps <= len(redirects):
            to, steps = redirects[to], steps + 1
        assert to in empty or to in newest.keys() - redirects.keys()
    return newest.keys() - redirects.keys(), empty


@pytest.mark.parametrize("seed", SEEDS)
def test_all_others_are_as_if_the_erased_had_never_been(seed: int) -> None:
    lived = live(seed)
    kept = [event for event in lived.events if not is_void(event, lived.marks)]
    plain = told(kept, 1, seed)

    assert customers(lived.memory) == customers(plain)
    assert _living(lived.memory)[0] == _living(plain)[0]
    said, wanted = standing(lived.memory), standing(plain)
    assert {name: said.get(name) for name in wanted} == wanted
    void = {event["messageId"] for event in lived.events if is_void(event, lived.marks)}
    for name in said.keys() - wanted.keys():  # The outputs of who was erased are not taken back.
        assert void.intersection(said[name]["evidence"])
    events = {event["messageId"] for event in lived.events}
    held = {decode_touch(row).id for store in lived.memory.rows for key, row in store.rows.items() if key[:1] == b"t"}
    assert held == events - void


@pytest.mark.parametrize("seed", SEEDS)
def test_no_row_and_nothing_written_later_holds_what_was_erased(seed: int) -> None:
    lived = live(seed)
    texts = {key: text for event in lived.events for key, text in identifiers(event).items()}
    rows = [row for store in lived.memory.rows for row in store.rows.values()]
    written = [row for _, _, row in lived.memory.changelog[lived.changelog :] if row is not None]
    later = [
        record.value for topic, log in lived.memory.log.items() for record in log[lived.ends.get(topic, 0) :] if record.value is not None
    ]

    for key, mark in lived.marks.items():
        if mark.own:
            text = texts[key].encode()
            assert not any(text in value for value in (*rows, *written, *later)), texts[key]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_erasure_is_told_with_its_receipt_and_empties_the_profiles(seed: int) -> None:
    lived = live(seed)
    changes = [msgspec.json.decode(record.value or b"") for record in lived.memory.log[topics.IDENTITY_CHANGES]]
    receipts = [change for change in changes if change["kind"] == "erasure"]
    emptied = {(record.key or b"").decode() for record in lived.memory.log[topics.PROFILES] if record.value is None}
    sent = [record for place, log in lived.memory.inputs.items() if place[0] == topics.IDENTITY for record in log]
    commands = [messages.decode(record.value or b"") for record in sent]

    assert len({change["id"] for change in changes}) == len(changes)
    assert {one.identifier for one in commands if isinstance(one, messages.Erase)} <= lived.marks.keys()
    assert receipts
    for receipt in receipts:
        assert receipt["into"] == []
        assert set(receipt["from"]) <= emptied
        assert receipt["deleted"].get("states", 0) == len(receipt["from"])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_is_accounted_for_by_what_the_topics_and_the_rows_hold(seed: int) -> None:
    memory = live(seed).memory
    taken_in = [one for (topic, _), log in memory.inputs.items() for one in log if topic == topics.INTERACTIONS]
    sent = [Message(one.value, one.key, one.partition, one.offset, tuple(one.headers)) for one in taken_in]

    def read(topic: str) -> Iterator[facts.Message]:
        return iter(sent if topic == topics.INTERACTIONS else [Message(one.value, one.key) for one in memory.log[topic]])

    counted, _ = facts.collect(read, lambda stem, value: None, POLICY.secret)
    rows = [Message(row, key, partition) for partition, store in enumerate(memory.rows) for key, row in store.rows.items()]
    counted.applied, _ = state.totals(rows)

    assert counted.reconciles(), counted
    assert counted.after_erasure == memory.tally["kairos_interactions_erased",]


def test_the_histories_erase_across_partitions_and_in_the_middle_of_things() -> None:
    tally: dict[tuple[str, ...], int] = {}
    left = 0
    for seed in SEEDS:
        lived = live(seed)
        left += len(customers(lived.memory))
        for name, number in lived.memory.tally.items():
            tally[name] = tally.get(name, 0) + number

    assert tally["kairos_customers_erased",] > len(SEEDS) // 2
    assert tally["kairos_interactions_erased",] > len(SEEDS)
    assert tally["kairos_identity_absorbed", "remote"] > len(SEEDS) // 4
    assert left > len(SEEDS) // 2
