"""The laws of the horizon, over generated histories with small limits: inside it all is as if timelines had no end; beyond it totals are whole."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas import money, topics
from streams import instants
from streams.cli import facts, state
from streams.customer import emissions, horizon
from streams.customer.horizon import Limits
from streams.customer.state import decode_row
from streams.identity.component import COMPONENT, settled
from streams.instants import DAY, HOUR
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import AGED, BASE, FOLD, TIMELINE, decode_touch
from tests.cli.values import Message
from tests.laws.memory import WIDE, Memory
from tests.laws.test_erasure_outputs import identifiers
from tests.laws.test_order import customers, living, standing

RULES = rulebook(retail)
START = instants.parse("2011-01-01T00:00:00Z") or 0
END = "2016-01-01T00:00:00Z"
BY_NUMBER = horizon.limits(32, 100 * 366 * DAY)
BY_AGE = horizon.limits(1_000, 20 * DAY)
LATE_MAX = 8
"""So many places may an interaction come after its time: less than the shortest timeline holds."""


def history(seed: int, people: int = 2, pause: int = 0) -> list[dict[str, Any]]:
    """Interactions of a few people in the order of their times: each known by an id, or at times by a device alone; of a new device
    it is told soon whose it is. Now and then nothing happens for a `pause`."""
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    at = START
    for number in range(chance.randint(150, 300)):
        at += chance.choice([0, 1, 3, 20]) * HOUR + (pause if chance.random() < 0.02 else 0)
        place = number % 50
        person = place % people if place < 10 else chance.randrange(people)
        event: dict[str, Any] = {
            "messageId": f"m{number}",
            "event": chance.choices(["Order Completed", "Order Cancelled", "Page Viewed"], [5, 2, 3])[0],
            "timestamp": instants.text(at),
            "channel": chance.choice(["web", "store", "email"]),
            "properties": {"revenue": chance.choice([10, 250.5, 1000, 3000.125]), "currency": chance.choice(["GBP", "EUR"])},
        }
        device = f"device-{person}-{number // 50}"
        if place < 10 or chance.random() < 0.4:
            event["anonymousId"] = device
        if place >= 6 and ("anonymousId" not in event or place < 10 or chance.random() < 0.4):
            event["userId"] = f"user-{person}"
        events.append(event)
    return events


def lived(events: list[dict[str, Any]], limits: Limits, partitions: int, seed: int, *, crash: float = 0.0, batch: int = 20) -> Memory:
    """A Kairos that they came to a few at a time, in the order given."""
    memory = Memory(RULES, partitions, seed, crash=crash, batch=batch, limits=limits)
    for place in range(0, len(events), LATE_MAX):
        for event in events[place : place + LATE_MAX]:
            memory.produce(event)
        memory.run()
    memory.tell_time(END)
    memory.run()
    return well_kept(memory)


def jittered(events: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """The same a little out of order, and some of them twice."""
    places = [(place + chance.randrange(LATE_MAX), event) for place, event in enumerate(events)]
    places += [(place + chance.randrange(LATE_MAX), event) for place, event in enumerate(events) if chance.random() < 0.1]
    return [event for _, event in sorted(places, key=lambda pair: pair[0])]


def held(memory: Memory, tag: bytes) -> list[bytes]:
    """The keys of all rows of a kind."""
    return [key for store in memory.rows for key in store.keys if key.startswith(tag)]


def well_kept(memory: Memory) -> Memory:
    """Having checked that totals lie where their components do, and a base beside each row whose timeline was cleared, and nowhere else."""
    for store in memory.rows:
        rows = {tag: {key[1:]: row for key, row in store.rows.items() if key.startswith(tag)} for tag in (AGED.tag, BASE.tag, FOLD.tag)}
        marks = {subject: decode_row(row).mark for subject, row in rows[FOLD.tag].items()}
        for row in map(decode_row, rows[FOLD.tag].values()):
            kept, cut = emissions.decode(row.kept), 0 if row.mark is None else row.mark.cut
            assert all(
                at > cut for at in (*(live.emission.occurred_at for live in kept.live.values()), *(at for _, at in kept.gone.values()))
            )
        people = [person for key, row in store.rows.items() if key.startswith(COMPONENT.tag) for person in settled(COMPONENT.decode(row))]
        fragments = {fragment for person in people for fragment in person.fragments}
        cleared = {
            (fragment, mark.cut) for one in people if (mark := marks[b"p" + one.canonical]) is not None for fragment in one.fragments
        }
        for fragment, cut in cleared:
            left = [decode_touch(row) for key, row in store.rows.items() if key.startswith(TIMELINE.tag + fragment)]
            assert all(touch.occurred_at > cut for touch in left)
        assert set(rows[BASE.tag]) == {subject for subject, mark in marks.items() if mark is not None and mark.cut}
        assert set(rows[AGED.tag]) <= fragments
    return memory


def sums(memory: Memory) -> tuple[int, Counter[str], dict[tuple[str, str], Decimal]]:
    """Of all customers together: interactions, contacts by channel, and amounts by currency and kind."""
    interactions, channels, amounts = 0, Counter[str](), dict[tuple[str, str], Decimal]()
    for store in memory.rows:
        for key, row in store.rows.items():
            if not key.startswith(FOLD.tag):
                continue
            now = decode_row(row).state
            interactions += now.interactions
            channels.update({channel: count for channel, (count, _) in now.channels.items()})
            for currency, totals in now.totals.items():
                for kind, amount in (("revenue", totals.revenue), ("cancelled", totals.cancelled)):
                    amounts[currency, kind] = money.add(amounts.get((currency, kind), money.ZERO), Decimal(amount))
    return interactions, channels, {place: amount for place, amount in amounts.items() if amount}


def naive(events: list[dict[str, Any]]) -> tuple[int, Counter[str], dict[tuple[str, str], Decimal]]:
    """The same, counted from what was sent."""
    unique = {event["messageId"]: event for event in events}.values()
    amounts: dict[tuple[str, str], Decimal] = {}
    for event in unique:
        kind = {"Order Completed": "revenue", "Order Cancelled": "cancelled"}.get(event["event"])
        if kind is not None:
            place = event["properties"]["currency"], kind
            amounts[place] = amounts.get(place, Decimal()) + Decimal(str(event["properties"]["revenue"]))
    return len(unique), Counter(event["channel"] for event in unique), amounts


def topic_of(memory: Memory, topic: str) -> list[Any]:
    """The records of a topic as a consumer reads them."""
    if topic == topics.INTERACTIONS:
        return [record for partition in range(memory.partitions) for record in memory.inputs[topic, partition]]
    return [Message(record.value, record.key) for record in memory.log[topic]]


@pytest.mark.parametrize("limits", [BY_NUMBER, BY_AGE], ids=["number", "age"])
@pytest.mark.parametrize("seed", range(16))
def test_inside_the_horizon_order_partitions_duplicates_and_crashes_change_nothing(seed: int, limits: Limits) -> None:
    chance = random.Random(seed)
    events = history(seed, pause=0 if limits is BY_AGE else 100 * DAY)
    endless = lived(events, WIDE, 1, seed)

    other = lived(
        jittered(events, chance), limits, chance.choice([1, 2, 8]), seed, crash=chance.choice([0.0, 0.2]), batch=chance.choice([1, 5, 40])
    )

    assert other.tally["kairos_interactions_too_late",] == 0
    assert held(other, AGED.tag) and held(other, BASE.tag)
    assert customers(other) == customers(endless)
    assert living(other) == living(endless)
    assert standing(other) == standing(endless)


@pytest.mark.parametrize("seed", range(16))
def test_totals_are_whole_whoever_merges(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed, people=3)
    last = instants.parse(events[-1]["timestamp"]) or 0
    links = [
        {
            "messageId": f"link{number}",
            "event": "Page Viewed",
            "timestamp": instants.text(last + number * HOUR),
            "channel": "web",
            "properties": {"currency": "GBP"},
            "anonymousId": f"device-{chance.randrange(3)}-{chance.randrange(3)}",
            "identifiers": {"email": "ann@shop.co.uk"},
        }
        for number in range(1, 6)
    ]
    events = [*events, *links]

    memory = lived(jittered(events, chance), BY_NUMBER, chance.choice([1, 3]), seed, batch=chance.choice([1, 20]))

    assert memory.tally["kairos_interactions_too_late",] == 0
    assert sums(memory) == naive(events)


@pytest.mark.parametrize("seed", range(16))
def test_what_is_too_late_is_counted_once_and_never_applied(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    again = [*events, *(event for event in events if chance.random() < 0.3)]

    memory = lived(again, BY_NUMBER, chance.choice([1, 4]), seed, batch=chance.choice([1, 20]))

    late, applied, duplicate = (memory.tally[f"kairos_interactions_{name}",] for name in ("too_late", "applied", "duplicate"))
    letters = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.DEAD_LETTERS]]
    assert late > 0
    assert applied == len(events) and applied + duplicate + late == len(again)
    assert [letter["reason"] for letter in letters] == ["too_late"] * late
    assert sums(memory) == naive(events)
    counted, _ = facts.collect(lambda topic: iter(topic_of(memory, topic)), lambda stem, value: None)
    counted.applied, _ = state.totals(
        Message(row, key, partition) for partition, store in enumerate(memory.rows) for key, row in store.rows.items()
    )
    assert (counted.read, counted.applied, counted.dead) == (len(again), len(events), late)
    assert counted.reconciles()


@pytest.mark.parametrize("seed", range(16))
def test_beyond_the_horizon_too_nothing_is_said_twice_whoever_merges_and_parts(seed: int) -> None:
    chance = random.Random(seed)
    limits = horizon.limits(chance.choice([8, 16]), 100 * 366 * DAY)
    memory = Memory(RULES, chance.choice([1, 3]), seed, batch=chance.choice([1, 20]), limits=limits)

    for number, event in enumerate(history(seed)):
        memory.produce(event)
        if chance.random() < 0.2:
            pair = {"anonymous_id": f"device-{chance.randrange(2)}-{chance.randrange(3)}", "user_id": f"user-{chance.randrange(2)}"}
            named = [{"type": kind, "value": value} for kind, value in pair.items()]
            given = {"id": f"c{number}", "actor": "ann", "reason": "a law", "at": instants.text(START + number * HOUR)}
            memory.command({"kind": chance.choice(["cannot_link", "allow_link", "link"]), "identifiers": named, **given})
        if number % LATE_MAX == 0:
            memory.run()
    memory.tell_time(END)
    memory.run()

    assert memory.tally["kairos_customers_split",] > 1 and memory.tally["kairos_customers_merged",] > 1
    standing(well_kept(memory))


@pytest.mark.parametrize("seed", range(10))
def test_rows_are_bounded_however_long_a_history_is(seed: int) -> None:
    events = history(seed, people=1)

    memory = lived(events, BY_NUMBER, 2, seed, batch=4)

    assert len(held(memory, TIMELINE.tag)) <= BY_NUMBER.interactions_look + LATE_MAX
    assert len(held(memory, BASE.tag)) == 1


def test_the_histories_clear_merge_and_move_between_partitions() -> None:
    tally = Counter[tuple[str, ...]]()
    for seed in range(10):
        tally.update(lived(history(seed), BY_NUMBER, 8, seed).tally)

    assert tally["kairos_identity_absorbed", "remote"] > 20
    assert tally["kairos_customers_merged",] > 20


def test_a_cleared_timeline_moves_whole_to_the_partition_of_a_lesser_identifier() -> None:
    events = [
        {"messageId": f"m{number}", "event": "Page Viewed", "timestamp": instants.text(START + number * HOUR), "anonymousId": "device"}
        for number in range(80)
    ]
    late = {**events[-1], "messageId": "late", "timestamp": instants.text(START + 75 * HOUR + 1)}
    moved = 0
    for seed in range(8):
        link = {**events[-1], "messageId": "link", "timestamp": instants.text(START + 80 * HOUR), "userId": f"user-{seed}"}
        endless, memory = (lived([*events, link, late], limits, 8, seed) for limits in (WIDE, BY_NUMBER))

        moved += memory.tally["kairos_identity_absorbed", "remote"]
        assert sums(memory)[0] == 82
        assert customers(memory) == customers(endless)
    assert moved >= 4


@pytest.mark.parametrize("seed", range(10))
def test_an_erasure_takes_totals_and_bases_along(seed: int) -> None:
    events = history(seed)
    others = [event for event in events if "0" not in (event.get("userId", "")[5:], event.get("anonymousId", "")[7:8])]
    memory = lived(events, BY_NUMBER, random.Random(seed).choice([1, 4]), seed)
    key = identifiers({"userId": "user-0", "identifiers": {}})

    memory.erase(*key, START + 2000 * DAY, 0)
    memory.run()

    assert 0 < len(others) < len(events)
    assert customers(well_kept(memory)) == customers(lived(others, BY_NUMBER, 1, seed))
    assert sums(memory) == naive(others)
    for event in events:
        memory.produce(event)
    memory.run()
    assert customers(well_kept(memory)) == customers(lived(others, BY_NUMBER, 1, seed))


def test_who_is_left_with_totals_alone_by_anothers_erasure_lives_on() -> None:
    def seen(number: int, user: str, **more: Any) -> dict[str, Any]:
        named = {"messageId": f"m{number}", "event": "Page Viewed", "timestamp": instants.text(START + number * HOUR), "userId": user}
        return {**named, "channel": "web", **more}

    phone = {"identifiers": {"phone": ["+447946000101"]}}
    bob = [seen(number, "bob", **(phone if number > 40 else {})) for number in range(1, 81)]
    memory = lived([seen(0, "ann", **phone), *bob], BY_NUMBER, 1, 0)
    key = identifiers({"userId": "ann", "identifiers": {}})
    older = 81 - len(held(memory, TIMELINE.tag))

    memory.erase(*key, START + 2000 * DAY, 0)
    memory.run()

    assert len(held(well_kept(memory), FOLD.tag)) == 1
    assert held(memory, TIMELINE.tag) == []
    assert sums(memory)[0] == older > 40
    assert not [key for store in memory.rows for key, row in store.rows.items() if b"447946000101" in row]


def test_an_erased_identifier_leaves_totals_also_where_nothing_else_names_it() -> None:
    named = {"messageId": "ann", "event": "Page Viewed", "timestamp": instants.text(START), "channel": "web", "userId": "ann"}
    phone = {"identifiers": {"phone": ["+447946000101"]}}
    bob = [
        {
            **named,
            "messageId": f"m{number}",
            "userId": "bob",
            "timestamp": instants.text(START + number * HOUR),
            **(phone if number < 9 else {}),
        }
        for number in range(1, 80)
    ]
    memory = lived([{**named, **phone}, *bob], BY_NUMBER, 4, 0)
    assert [key[:1] for store in memory.rows for key, row in store.rows.items() if b"447946000101" in row and key.startswith(AGED.tag)]

    memory.erase(*identifiers({"userId": "ann", "identifiers": {}}), START + 2000 * DAY, 0)
    memory.run()

    assert sums(well_kept(memory))[0] == len(bob)
    assert not [key for store in memory.rows for key, row in store.rows.items() if b"447946000101" in row]
