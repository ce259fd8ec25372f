"""Two Kairos in memory, compared: equal ones differ in nothing, and what differs is told exactly, with why."""

from __future__ import annotations

import io
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from connectors.simulator import simulate
from streams import app
from streams.cli import differences
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.policy import Policy
from streams.replay import diff, plan
from streams.replay.archive import Note
from streams.replay.diff import Found
from streams.replay.plan import Plan, Scope
from streams.replay.sides import Side
from tests.laws.memory import POLICY, Memory
from tests.oracles import retail as oracle
from tests.replay import heads
from tests.replay.heads import LOWER, RETAIL, UNTIL, side

INVOICES = 400
PEOPLE = 40


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first invoices of the shop's year."""
    return heads.head(tmp_path_factory.mktemp("shop") / "head.csv.gz", INVOICES)


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shop's rules with another threshold of `high_value`."""
    return str(heads.lower(tmp_path_factory.mktemp("rules")))


@pytest.fixture(scope="module")
def values(head: Path) -> list[bytes]:
    """The interactions of the head."""
    return heads.interactions(head)


@pytest.fixture(scope="module")
def live(values: list[bytes]) -> Side:
    """What a live Kairos made of them."""
    return side(kairos("retail", values, 1))


@pytest.fixture(scope="module")
def lowered(values: list[bytes], lower: str) -> Side:
    """What another one would, by the other threshold."""
    return side(kairos(lower, values, 2))


def kairos(journeys: str, values: list[bytes], seed: int, policy: Policy = POLICY, until: str = UNTIL) -> Memory:
    """A whole Kairos that has lived through it, in an order of its own."""
    memory = Memory(app.rules_of((journeys,)), 3, seed, policy=policy)
    for value in values:
        memory.produce(value)
    memory.tell_time(until)
    memory.run()
    return memory


def planned(live: str, shadow: str, policy: Policy = POLICY, until: int | None = None) -> Plan:
    """The plan that led to a comparison."""
    return Plan(
        name="try", app_id="kairos", cluster="c", partitions=3, clock="replay", scope=Scope(), repairs={}, inputs={}, letters=[], outputs={},
        until=until, live=plan.versions((live,), POLICY), shadow=plan.versions((shadow,), policy), policy=None, in_flight=0,
    )  # fmt: skip


def why(found: Found) -> Counter[tuple[str, ...]]:
    """How many differences there are for which reasons."""
    return Counter(tuple(one.why) for one in found.differences)


def test_the_same_rules_on_the_same_interactions_differ_in_nothing(live: Side, values: list[bytes]) -> None:
    found = diff.compare(live, side(kairos("retail", values, 2)), planned("retail", "retail"))

    assert found.differences == []
    assert found.digests["live"] == found.digests["shadow"]
    assert found.totals["person"]["live"] > 200
    assert found.totals["stage"]["live"] > 500


def test_people_who_merge_differ_in_nothing_also_when_their_redirects_have_ended(tmp_path: Path) -> None:
    values = simulate(PEOPLE, 11, tmp_path).interactions_path.read_bytes().splitlines()
    one, other = (side(kairos("brand", values, seed, until="2025-06-01T00:00:00Z")) for seed in (1, 2))

    found = diff.compare(one, other, planned("brand", "brand"))

    assert found.differences == []
    assert found.digests["live"] == found.digests["shadow"]
    assert {value["customerId"] for value in one.said.values()} - one.profiles.keys() - one.redirects.keys(), "some redirects have ended"


def test_a_threshold_differs_exactly_as_the_oracle_says(head: Path, live: Side, lowered: Side, lower: str) -> None:
    before, after = (_segments(oracle.answer(head, datetime.fromisoformat(UNTIL), threshold)) for threshold in (oracle.HIGH_VALUE, LOWER))

    found = diff.compare(live, lowered, planned("retail", lower))

    said = {change: Counter(_entry(one.live or one.shadow) for one in found.differences if (one.kind, one.change) == ("segment", change))
            for change in diff.CHANGES}  # fmt: skip
    assert said == {"added": after - before, "removed": before - after, "changed": Counter()}
    assert said["added"].total() > 50
    assert {one.kind for one in found.differences} == {"segment", "person"}
    assert {tuple(one.fields) for one in found.differences if one.kind == "person"} == {("segments",)}
    assert why(found).keys() == {("rule",)}
    assert found.rules == ["segment high_value"]


def test_what_hangs_on_a_changed_rule_is_told_to(live: Side, values: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "soon.py").write_text(RETAIL.read_text().replace("silence(order, days(90))", "silence(order, days(60))"))
    found = diff.compare(live, side(kairos(str(tmp_path / "soon.py"), values, 1)), planned("retail", str(tmp_path / "soon.py")))

    assert found.counts()["stage"]["changed"] > 100
    assert why(found).keys() == {("rule",)}


def test_interactions_that_only_one_side_has_are_late_data(live: Side, values: list[bytes]) -> None:
    found = diff.compare(live, side(kairos("retail", values[:-30], 1)), planned("retail", "retail"))

    assert found.interactions == {"live": 30, "shadow": 0}
    assert found.counts()["stage"]["removed"] > 0
    assert why(found).keys() == {("late_data",)}


def test_who_is_another_by_what_only_one_side_has_is_late_data(tmp_path: Path) -> None:
    values = simulate(PEOPLE, 11, tmp_path).interactions_path.read_bytes().splitlines()
    missing = [value for number, value in enumerate(values) if number % 7]

    found = diff.compare(side(kairos("brand", values, 1)), side(kairos("brand", missing, 1)), planned("brand", "brand"))

    assert {one.change for one in found.differences if one.kind == "person"} == {"added", "removed", "changed"}
    assert why(found).keys() == {("late_data",)}


def test_a_deadline_after_the_end_of_time_is_late_data(live: Side, values: list[bytes]) -> None:
    shadow = side(kairos("retail", values, 1, until="2011-03-10T00:00:00Z"))
    end = 1_299_715_200_000_000

    found = diff.compare(live, shadow, planned("retail", "retail", until=end))

    assert found.counts()["stage"]["removed"] > 100
    assert why(found).keys() == {("late_data",)}


def _evidence() -> list[bytes]:
    """Three who share what a stricter policy does not believe."""
    said = [
        ({"crm_id": "1", "email": "ann@brand.co"}, 1),
        ({"user_id": "ann", "email": "ann@brand.co"}, 2),
        ({"crm_id": "2", "phone": "+442079460999"}, 3),
        ({"crm_id": "2"}, 4),
        ({"crm_id": "1"}, 5),
    ]
    return [
        b'{"messageId":"m%d","event":"Order Completed","identifiers":%s,"timestamp":"2025-01-0%dT09:00:00Z","properties":{"revenue":40,"currency":"GBP"}}'
        % (number, str(identifiers).replace("'", '"').encode(), number)
        for identifiers, number in said
    ]


def _strict() -> Policy:
    """An e-mail address links nobody whom two unique identifiers name."""
    types = tuple(
        structs.replace(kind, limit=None, window_days=None, generic_above=1) if kind.name == "email" else kind for kind in POLICY.types
    )
    return structs.replace(POLICY, types=types)


def test_who_parts_by_another_policy_is_told_so() -> None:
    live, shadow = (side(kairos("retail", _evidence(), 1, policy)) for policy in (POLICY, _strict()))

    found = diff.compare(live, shadow, planned("retail", "retail", _strict()))

    assert found.policy
    assert why(found).keys() == {("policy",)}
    (added,) = [one for one in found.differences if (one.kind, one.change) == ("person", "added")]
    assert len(added.others) == 1


def test_each_reason_is_told_of_whom_it_concerns() -> None:
    live = side(kairos("retail", _evidence(), 1))
    shadow = side(kairos("retail", _evidence()[:-2], 1, _strict()))

    found = diff.compare(live, shadow, planned("retail", "retail", _strict()))

    anns = {live.people[key] for key, customer in shadow.people.items() if live.people[key] != customer}
    reasons = {
        (one.customer in anns | {one.id for one in found.differences if one.change == "added"}, tuple(one.why)) for one in found.differences
    }
    assert {why for is_ann, why in reasons if not is_ann} == {("late_data",)}
    assert ("policy", "late_data") in {why for is_ann, why in reasons if is_ann}


def test_what_nothing_explains_is_said_to_be_unexplained(live: Side, lowered: Side) -> None:
    found = diff.compare(live, lowered, planned("retail", "retail"))

    assert {tuple(one.why) for one in found.differences if one.kind == "segment"} == {("unexplained",)}


def test_the_table_names_each_kind_and_says_what_it_leaves_out(live: Side, lowered: Side, lower: str) -> None:
    of = planned("retail", lower)
    found = diff.compare(live, lowered, of)
    stream = io.StringIO()

    differences.show(Console(file=stream, width=200), Note(plan=of, by="ann", at="2026-01-01T00:00:00Z"), found, 3)

    printed = " ".join(stream.getvalue().split())
    added = found.counts()["segment"]["added"]
    assert f"segments {found.totals['segment']['live']:,} {found.totals['segment']['shadow']:,} {added:,}" in printed
    assert "segment high_value" in printed
    assert f"and {sum(found.counts()['segment'].values()) - 3:,} more segments" in printed
    assert "Rules that mean something else: segment high_value." in printed


def _segments(year: oracle.Answer) -> Counter[tuple[str, bool, datetime]]:
    return Counter((_customer(one.customer), one.entered, one.time) for one in year.segment_changes)


def _customer(name: str) -> str:
    """The id of whom one identifier names."""
    found = normaliser(POLICY).normalise(*name.split(":"))
    assert isinstance(found, Identifier)
    return customer_id(found.key)


def _entry(value: dict[str, Any] | None) -> tuple[str, bool, datetime]:
    assert value is not None
    return value["customerId"], value["entered"], datetime.fromisoformat(value["occurredAt"])
