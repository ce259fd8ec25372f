"""The law of room: while a customer's rows have room, what looks after it changes nothing; beyond it, what is forgotten first depends on when it was last
heard of alone, and only how much is forgotten on how it arrived.

The room is made small here; `tests/laws/test_sizes.py` asks with the widest interactions whether it is enough.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from streams import instants
from streams.customer import room
from streams.customer.state import Case, ConsentGiven, State, Totals, decode_row, empty
from streams.instants import HOUR
from streams.rows import FOLD
from tests.laws.memory import Memory
from tests.laws.test_order import RULES, START, customers, history, told

SEEDS = 8
SMALL = 2_500


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Room for a few dozen names."""
    monkeypatch.setattr(room, "LOOK_BYTES", 1)
    monkeypatch.setattr(room, "NAMES_BYTES_MAX", SMALL)
    yield


def busy(seed: int) -> list[dict[str, Any]]:
    """What one person did, in the order of time: touchpoints and channels of many names, each heard of now and then, and some orders."""
    chance = random.Random(seed)
    return [
        {
            "messageId": f"m{number}",
            "userId": "ann",
            "event": chance.choice(["Page Viewed", "Page Viewed", "Order Completed"]),
            "timestamp": instants.text(START + number * HOUR),
            "touchpoint": f"touchpoint {chance.randrange(60)} of the shop",
            "channel": f"channel_{chance.randrange(30)}",
            "source": {"system": f"system {chance.randrange(3)}"},
            "properties": {"revenue": chance.choice([10, 250.5]), "currency": "GBP"},
        }
        for number in range(chance.randint(50, 100))
    ]


def lived(events: list[dict[str, Any]], batch: int) -> tuple[State, int]:
    """The state of the one person, and how often names gave way."""
    memory = Memory(RULES, 1, batch=batch)
    for event in events:
        memory.produce(event, key=b"one")
    memory.run()
    (row,) = [row for key, row in memory.rows[0].rows.items() if key.startswith(FOLD.tag)]
    return decode_row(row).state, memory.tally["kairos_customers_lightened", "names"]


def arrivals(seed: int) -> Iterator[State]:
    """The state of a busy person, for orders of arrival and sizes of batches."""
    events = busy(seed)
    shuffled = random.Random(seed).sample(events, len(events))
    for arrived, batch in ((events, 1), (events, 100), (shuffled, 7), (events[::-1], 20)):
        yield lived(arrived, batch)[0]


@pytest.mark.parametrize("seed", range(5))
def test_with_room_it_is_the_same_whether_anybody_looks_or_not(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = history(seed)
    unlooked = customers(told(events, 1, 0))
    monkeypatch.setattr(room, "LOOK_BYTES", 1)

    shuffled = random.Random(seed).sample(events, len(events))

    assert customers(told(shuffled, 3, seed, batch=7)) == unlooked


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kept_is_what_was_heard_of_last_and_all_else_is_the_same_in_any_order_of_arrival(seed: int, narrow: None) -> None:
    states = list(arrivals(seed))

    for part, field in (("touchpoints", "touchpoint"), ("channels", "channel")):
        last = {event[field]: instants.parse(event["timestamp"]) or 0 for event in busy(seed)}
        newest = sorted(last, key=lambda name: -last[name])
        for state in states:
            kept = getattr(state, part)
            assert {name: at for name, (_, at) in kept.items()} == {name: last[name] for name in newest[: len(kept)]}
    first, *others = [replace(state, touchpoints={}, channels={}, received_at=0) for state in states]
    assert all(other == first for other in others)


def test_how_many_names_are_kept_and_how_often_they_were_heard_of_shows_how_they_arrived(narrow: None) -> None:
    """The one thing that is no function of the set: names give way when there is no room, and one that comes again is counted anew."""
    for seed in (0, 2):
        assert lived(busy(seed), 1)[1] > 0
        assert len({(len(state.touchpoints), sum(count for count, _ in state.touchpoints.values())) for state in arrivals(seed)}) > 1


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_gives_way_is_a_function_of_the_names_and_what_fits_stays(seed: int, narrow: None) -> None:
    chance = random.Random(seed)
    bare = empty(RULES)
    state = _named(chance, bare)
    again = replace(state, **{part: _shuffled(chance, getattr(state, part)) for part in _parts(state)})

    (fitted, gave_way), (other, also) = room.fitted(state, bare), room.fitted(again, bare)

    assert gave_way == also == ["names"]
    assert fitted == other
    assert room.fitted(fitted, bare) == (fitted, [])


def _named(chance: random.Random, bare: State) -> State:
    def names() -> list[str]:
        return [f"name {number} of this part" for number in range(chance.randint(0, 80))]

    def at() -> int:
        return chance.randrange(20)

    return replace(
        bare,
        identifiers={name: (1, at()) for name in (*names(), *(f"number {place}" for place in range(70)))},
        channels={name: (1, at()) for name in names()},
        touchpoints={name: (1, at()) for name in names()},
        sources={name: at() for name in names()},
        accounts={name: at() for name in names()},
        consent={name: (ConsentGiven(chance.choice(["granted", "denied"]), None, at(), ()),) for name in names()},
        cases={name: Case(None, at(), at(), (), None, chance.choice([None, 3])) for name in names()},
        totals={name: Totals(at(), "5") for name in names()},
    )


def _parts(state: State) -> list[str]:
    return [part for part in state.__struct_fields__ if isinstance(getattr(state, part), dict)]


def _shuffled(chance: random.Random, named: dict[str, Any]) -> dict[str, Any]:
    return dict(chance.sample(sorted(named.items(), key=lambda one: one[0]), len(named)))
