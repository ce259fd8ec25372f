"""The shop's whole year through reader, intake and fold in memory, beside an oracle of its own code: they agree exactly."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytest

from connectors.online_retail.source import READER
from connectors.runtime.sources import Ready, mapped
from schemas import topics
from streams import instants
from streams.customer import fold, state
from streams.customer.emissions import Emission
from streams.customer.state import State
from streams.identity import messages
from streams.intake import steps
from streams.journeys import identity_policy, retail
from streams.language import rulebook
from streams.rows import Touch, decode_touch
from tests.oracles import retail as oracle

UNTIL = instants.parse("2011-12-10T00:00:00Z")
RULES = rulebook(retail)


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 1_700_000_000_000
    partition: int = 0


class _Clock(NamedTuple):
    now: int = 1_700_000_000_000_000
    replayed: bool = True


def _touches() -> Iterator[Touch]:
    policy = identity_policy.identity_policy(b"secret")
    ready = (item for item in mapped(READER, oracle.SHOP) if isinstance(item, Ready))
    records = [_Record(None, item.value, offset) for offset, item in enumerate(ready)]
    for sent in steps.decide(records, _Clock(), policy, 4).send:
        assert sent.topic == topics.IDENTITY
        assert sent.value is not None
        message = messages.decode(sent.value)
        assert isinstance(message, messages.Event)
        yield decode_touch(message.touch)


@pytest.fixture(scope="module")
def expected() -> oracle.Answer:
    return oracle.answer()


@pytest.fixture(scope="module")
def folded() -> dict[str, tuple[State, list[Emission]]]:
    """Each customer's state as of the end of the year and all that was said of it, folded one interaction at a time."""
    lives: dict[str, list[Touch]] = defaultdict(list)
    for touch in _touches():
        (identifier,) = touch.identifiers
        lives[":".join(identifier)].append(touch)
    assert UNTIL is not None
    found = {}
    for customer, touches in lives.items():
        touches.sort(key=lambda touch: touch.order)
        at, said = state.empty(RULES), []
        for touch in touches:
            step = fold.fold(at, [touch], touch.occurred_at - 1, RULES)
            at = step.state
            said += step.emissions
        step = fold.fold(at, [], UNTIL, RULES)
        found[customer] = (step.state, said + step.emissions)
    return found


def _micro(time: datetime) -> int:
    found = instants.parse(time.isoformat())
    assert found is not None
    return found


def test_people_orders_cancellations_and_revenue_agree(folded: dict[str, tuple[State, list[Emission]]], expected: oracle.Answer) -> None:
    totals = [after.totals["GBP"] for after, _ in folded.values()]

    assert len(folded) == len(expected.customers) == 6743
    assert sum(each.orders for each in totals) == len(expected.orders) == 20725
    assert sum(each.cancellations for each in totals) == len(expected.cancellations) == 3836
    for customer, invoices in expected.customers.items():
        mine = folded[customer][0]
        assert oracle.Decimal(mine.totals["GBP"].revenue) == sum(one.revenue for one in invoices if one.is_order)
        assert oracle.Decimal(mine.totals["GBP"].cancelled) == -sum(one.revenue for one in invoices if not one.is_order)
        assert mine.traits["country"].value == expected.lives[customer].country


def test_the_stage_of_each_customer_agrees(folded: dict[str, tuple[State, list[Emission]]], expected: oracle.Answer) -> None:
    assert {customer: after.journeys["retail"].stage for customer, (after, _) in folded.items()} == expected.stages


def test_every_stage_change_agrees(folded: dict[str, tuple[State, list[Emission]]], expected: oracle.Answer) -> None:
    mine = [
        (customer, one.origin, one.to, one.occurred_at, "event" if one.deadline is None else "deadline", one.evidence)
        for customer, (_, said) in folded.items()
        for one in said
        if one.kind == "stage"
    ]

    assert sorted(mine, key=str) == sorted(
        ((one.customer, one.origin, one.target, _micro(one.time), one.kind, (one.evidence,)) for one in expected.stage_changes), key=str
    )


def test_every_moment_agrees(folded: dict[str, tuple[State, list[Emission]]], expected: oracle.Answer) -> None:
    mine = [
        (customer, one.rule, one.occurred_at, one.evidence)
        for customer, (_, said) in folded.items()
        for one in said
        if one.kind == "moment"
    ]

    assert sorted(mine) == sorted((one.customer, one.name, _micro(one.time), one.supporting + one.evidence) for one in expected.moments)


def test_every_segment_change_agrees(folded: dict[str, tuple[State, list[Emission]]], expected: oracle.Answer) -> None:
    mine = [
        (customer, one.to == "entered", one.occurred_at) for customer, (_, said) in folded.items() for one in said if one.kind == "segment"
    ]

    assert sorted(mine) == sorted((one.customer, one.entered, _micro(one.time)) for one in expected.segment_changes)


def test_an_id_is_said_once_in_the_year(folded: dict[str, tuple[State, list[Emission]]]) -> None:
    ids = [one.id for _, said in folded.values() for one in said]

    assert len(ids) == len(set(ids)) > 20000
