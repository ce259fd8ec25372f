"""The shop's whole year on Kafka: what subscribers read is what an oracle of its own code says, whatever the order, the partitions and the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from tests.oracles import retail as oracle
from tests.pipeline import sources
from tests.pipeline.harness import run, shares
from tests.pipeline.outcome import Outcome, Value, assert_same


@pytest.fixture(scope="module")
def expected() -> oracle.Answer:
    return oracle.answer()


@pytest.fixture(scope="module")
def in_order(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One partition, one worker, the file's order."""
    return run(broker.bootstrap, tmp_path_factory.mktemp("shop"), sources.shop(), partitions=1, workers=1)[0]


def test_people_orders_cancellations_and_revenue_agree(in_order: Outcome, expected: oracle.Answer) -> None:
    facts = in_order.facts
    customers = _by_name(in_order)

    assert (facts.read, facts.applied, facts.dead, facts.duplicates) == (25_900, 24_561, 1_339, 0)
    assert facts.dead_by_reason == {"not_an_interaction": expected.refused}
    assert facts.orders == len(expected.orders) == 20_725
    assert facts.cancellations == len(expected.cancellations) == 3_836
    assert customers.keys() == expected.customers.keys()
    assert len(customers) == 6_743
    for name, invoices in expected.customers.items():
        totals = customers[name]["totals"]["GBP"]
        assert Decimal(totals["revenue"]) == sum(one.revenue for one in invoices if one.is_order), name
        assert Decimal(totals["cancelled"]) == -sum(one.revenue for one in invoices if not one.is_order), name
        assert customers[name]["traits"]["country"]["value"] == expected.lives[name].country


def test_the_stage_of_each_customer_agrees(in_order: Outcome, expected: oracle.Answer) -> None:
    assert {name: profile["journeys"]["retail"]["stage"] for name, profile in _by_name(in_order).items()} == expected.stages


def test_every_stage_change_agrees(in_order: Outcome, expected: oracle.Answer) -> None:
    found = Counter(
        (name, value["from"], value["to"], _time(value), value["cause"]["kind"], *value["evidence"])
        for name, value in _emitted(in_order, topics.STAGES)
    )

    assert found == Counter((one.customer, one.origin, one.target, one.time, one.kind, one.evidence) for one in expected.stage_changes)
    assert found.total() == 19_416


def test_every_moment_agrees(in_order: Outcome, expected: oracle.Answer) -> None:
    found = Counter((name, value["moment"], _time(value), tuple(value["evidence"])) for name, value in _emitted(in_order, topics.MOMENTS))

    assert found == Counter((one.customer, one.name, one.time, one.supporting + one.evidence) for one in expected.moments)
    assert {value["status"] for _, value in _emitted(in_order, topics.MOMENTS)} == {"fired"}
    assert found.total() == 1_545


def test_every_segment_entry_and_exit_agrees(in_order: Outcome, expected: oracle.Answer) -> None:
    found = Counter((name, value["entered"], _time(value)) for name, value in _emitted(in_order, topics.SEGMENTS))

    assert found == Counter((one.customer, one.entered, one.time) for one in expected.segment_changes)
    assert found.total() == 379


def test_disorder_duplicates_partitions_and_workers_change_nothing(broker: EmbeddedBroker, tmp_path: Path, in_order: Outcome) -> None:
    shuffled, counts = run(
        broker.bootstrap, tmp_path / "shuffled", sources.shop(), partitions=16, workers=2, shuffle_seed=3, duplicates=0.05
    )

    assert_same(shuffled, in_order)
    assert shuffled.facts.duplicates > 1_000
    assert _people(shuffled) == _people(in_order)
    assert min(shares(counts, "kairos_engine_batches")) >= 0.2


def _by_name(outcome: Outcome) -> dict[str, Value]:
    """Profiles by the one identifier that each of the shop's customers has."""
    return {_name(profile): profile for profile in outcome.profiles.values()}


def _name(profile: Value) -> str:
    ((kind, (value,)),) = profile["identifiers"].items()
    return f"{kind}:{value}"


def _emitted(outcome: Outcome, topic: str) -> Iterator[tuple[str, Value]]:
    """What stands on a topic, with the name of whom it is about."""
    names = {customer: _name(profile) for customer, profile in outcome.profiles.items()}
    for (where, _), value in outcome.standing.items():
        if where == topic:
            yield names[value["customerId"]], value


def _people(outcome: Outcome) -> dict[tuple[str, str], str]:
    """Whom each emission is about: nobody merges in the shop, so that is the same in every run."""
    return {name: value["customerId"] for name, value in outcome.standing.items()}


def _time(value: Value) -> datetime:
    return datetime.fromisoformat(value["occurredAt"])
