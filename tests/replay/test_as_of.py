"""Under the live clock two sides are compared as of one instant, whenever ticks came: what time alone did later is no difference, nor what it had yet to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec import structs

from schemas import topics
from streams import app, instants
from streams.boundary import Outgoing
from streams.replay import as_of, diff, sides
from streams.replay.as_of import InForce
from streams.replay.diff import Found
from streams.replay.plan import Plan, Scope, versions
from streams.replay.reading import Message
from streams.replay.sides import Side
from tests.laws.memory import POLICY, RECEIVED, Memory

CHANGELOG = "kairos-customers-changelog"
PARTITIONS = 3
ORDERS = 60
BEGAN = RECEIVED * 1000
TICKED = 370_000
"""Ticks come so long after each second."""
UNTIL = BEGAN + 12_200_000
"""Between two ticks; some deadlines lie between the tick before and it, some between it and the tick after."""
RULES = """
from streams.language import BUSINESS_MOMENT, START, Journey, Moment, days, event, hours, minutes, silence

order = event("Order Completed")
quick = Journey(name="quick", owner="tests", transitions=[
    (START, "active", order),
    ("active", "quiet", silence(order, hours(1))),
    ("quiet", "quieter", silence(order, hours(1) + minutes(1) // SOON)),
])
missed = Moment(name="missed", scope=BUSINESS_MOMENT, owner="tests", when=silence(order, hours(1)), because="An hour went by.", expires=days(1))
"""


class Vector(NamedTuple):
    """How much there was to read of each topic, the changelog's rows too."""

    ends: Mapping[str, int]


def _rules(directory: Path, name: str = "quick", soon: int = 240) -> str:
    path = directory / f"{name}.py"
    path.write_text(RULES.replace("SOON", str(soon)))
    return str(path)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """A file of rules by which deadlines are a quarter of a second apart."""
    return _rules(tmp_path)


def _orders() -> Iterator[dict[str, object]]:
    """An hour before now and the next half minute, two a second."""
    for number in range(ORDERS):
        at = instants.text(BEGAN - 3_600_000_000 + number * 500_000)
        yield {"messageId": f"m{number}", "userId": f"u-{number}", "event": "Order Completed", "timestamp": at}


def _lived(rules: str, seconds: int, compared_after: int) -> tuple[Memory, Vector]:
    """A live Kairos that ticks for so many seconds, and the vector after so many of them."""
    memory = Memory(app.rules_of((rules,)), PARTITIONS, 1, replayed=False, now=BEGAN)
    for order in _orders():
        memory.produce(order)
    memory.run()
    vector = Vector({})
    for second in range(seconds):
        memory.now = BEGAN + second * 1_000_000 + TICKED
        memory.tick()
        memory.run()
        if second == compared_after:
            vector = _now(memory)
    return memory, vector


def _now(memory: Memory) -> Vector:
    return Vector({CHANGELOG: len(memory.changelog), **{topic: len(log) for topic, log in memory.log.items()}})


def _replayed(rules: str) -> Side:
    """The shadow: the same interactions, and time up to the instant."""
    memory = Memory(app.rules_of((rules,)), PARTITIONS, 2, now=BEGAN)
    for order in _orders():
        memory.produce(order)
    memory.tell_time(instants.text(UNTIL))
    memory.run()
    return _side(memory, _now(memory), None)


def _side(memory: Memory, vector: Vector, by: InForce | None, *, compacted: bool = False) -> Side:
    ends = {(topic, partition): vector.ends.get(topic, 0) for topic in (CHANGELOG, *topics.BY_NAME) for partition in range(PARTITIONS)}

    def read(topic: str) -> Iterator[Message]:
        found = list(_written(memory, topic))
        last = {(one.partition, one.key): one.offset for one in found}
        return (
            one for one in found if not compacted or topic not in (CHANGELOG, topics.PROFILES) or last[one.partition, one.key] == one.offset
        )

    return sides.read(read, CHANGELOG, ends, UNTIL, by)


def _written(memory: Memory, topic: str) -> Iterator[Message]:
    if topic == CHANGELOG:
        for offset, (partition, key, row) in enumerate(memory.changelog):
            yield Message(topic, partition, offset, key, row, (), 0)
        return
    for offset, sent in enumerate(memory.log[topic]):
        assert isinstance(sent, Outgoing)
        yield Message(topic, 0, offset, sent.key, sent.value, sent.headers, 0)


def _plan(rules: str) -> Plan:
    here = versions((rules,), POLICY)
    return Plan(
        name="try", app_id="kairos", cluster="c", partitions=PARTITIONS, clock="live", scope=Scope(), repairs={}, inputs={}, letters=[],
        outputs={}, until=UNTIL, live=here, shadow=here, policy=None, in_flight=0,
    )  # fmt: skip


def _compared(rules: str, live: Side) -> Found:
    return diff.compare(live, _replayed(rules), _plan(rules))


@pytest.mark.parametrize(
    "compared_after", [8, 11, 12, 14], ids=lambda second: f"the last tick was {second - 12.2 + 0.37:+.2f} s from the instant"
)
def test_whenever_the_last_tick_was_nothing_differs(rules: str, compared_after: int) -> None:
    memory, vector = _lived(rules, 20, compared_after)

    found = _compared(rules, _side(memory, vector, as_of.in_force(_plan(rules), POLICY)))

    assert found.differences == []
    assert found.digests["live"] == found.digests["shadow"]
    assert found.statuses["live"] == found.statuses["shadow"]
    assert ORDERS < found.totals["stage"]["live"] < 3 * ORDERS
    assert 20 < found.totals["moment"]["live"] < ORDERS


def test_who_was_moved_on_before_anybody_looked_and_is_compacted_is_late_data(rules: str) -> None:
    memory, vector = _lived(rules, 20, 14)

    found = _compared(rules, _side(memory, vector, as_of.in_force(_plan(rules), POLICY), compacted=True))

    assert found.differences
    assert {tuple(one.why) for one in found.differences} == {("late_data",)}


def test_by_other_rules_than_the_plans_nobody_is_moved_on_and_that_is_told(rules: str, tmp_path: Path) -> None:
    memory, vector = _lived(rules, 20, 8)
    of = _plan(rules)
    _rules(tmp_path, soon=2)

    assert as_of.in_force(of, POLICY) is None
    assert as_of.in_force(of, structs.replace(POLICY, owner="somebody else")) is None
    _rules(tmp_path)
    found = _compared(rules, _side(memory, vector, None))

    assert found.counts()["stage"]["added"] > 0
    assert {tuple(one.why) for one in found.differences} == {("late_data",)}
