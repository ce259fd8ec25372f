"""Customers who were erased: none of their rows is left, what is told of it, and how they begin again."""

from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams import rows as every_kind
from streams.customer import horizon
from streams.identity.identifiers import customer_id
from streams.identity.past import ERASED_KEPT
from streams.instants import DAY, Instant
from streams.rows import AGED, BASE, CHECKPOINT, DUE, ERASURE, FOLD, TIMELINE
from tests.customer.test_lapsing import CRM, EMAIL, PHONE, apart, key, newest
from tests.laws.memory import Memory
from tests.laws.test_order import RULES

BEGIN = instants.parse("2024-01-01T00:00:00Z") or 0
AT = BEGIN + 500 * DAY
ANN = customer_id(key(*EMAIL))


def order(name: str, at: Instant, *named: tuple[str, str]) -> dict[str, Any]:
    identifiers: dict[str, list[str]] = {}
    for kind, value in named:
        identifiers.setdefault(kind, []).append(value)
    return {
        "messageId": name,
        "event": "Order Completed",
        "timestamp": instants.text(at),
        "language": "en",
        "properties": {"revenue": 10, "currency": "GBP"},
        "traits": {"email": EMAIL[1]} if EMAIL in named else {},
        "identifiers": identifiers,
    }


def told(memory: Memory, *events: dict[str, Any]) -> None:
    for event in events:
        memory.produce(event, key=b"in order")
    memory.run()


def erased(memory: Memory, identifier: tuple[str, str], at: Instant = AT, number: int = 0) -> None:
    memory.erase(key(*identifier), at, number)
    memory.run()


def changes(memory: Memory) -> list[dict[str, Any]]:
    found = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.IDENTITY_CHANGES]]
    return [change for change in found if change["kind"] == "erasure"]


def rows(memory: Memory, *kinds: bytes) -> list[bytes]:
    return [row for store in memory.rows for row in store.rows if row[:1] in kinds]


def test_no_row_of_a_long_history_is_left_and_the_receipt_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every_kind, "CHECKPOINT_EVERY", 8)
    memory = Memory(RULES, 3, limits=horizon.limits(40, 400 * DAY), batch=10)
    told(memory, *[order(f"m{number}", BEGIN + number * DAY, EMAIL) for number in range(80)])
    kinds = (TIMELINE, FOLD, CHECKPOINT, DUE, AGED, BASE)
    held = {kind.name: len(rows(memory, kind.tag)) for kind in kinds}
    assert all(held.values()), held

    erased(memory, EMAIL)

    assert [row for row in rows(memory, *[kind.tag for kind in kinds]) if row[9:10] != ERASURE] == []
    (receipt,) = changes(memory)
    assert receipt["from"] == [ANN]
    assert receipt["deleted"] == {
        "bases": 1,
        "checkpoints": held["checkpoint"],
        "deadlines": 1,
        "identifiers": 1,
        "interactions": held["timeline"],
        "links": 0,
        "states": 1,
        "totals": 1,
    }
    assert newest(memory) == {ANN: None}


def test_outputs_of_the_erased_are_not_taken_back_one_by_one() -> None:
    memory = Memory(RULES, 2)
    told(memory, order("a", BEGIN, EMAIL))
    said = {topic: len(memory.log[topic]) for topic in (topics.STAGES, topics.SEGMENTS, topics.MOMENTS)}
    assert said[topics.STAGES]

    erased(memory, EMAIL)

    assert {topic: len(memory.log[topic]) for topic in said} == said


@pytest.mark.parametrize("seed", range(20))
def test_who_begins_again_in_whatever_batch_is_new_and_its_version_goes_on(seed: int) -> None:
    memory = Memory(RULES, 1 + seed % 2, seed)
    told(memory, *[order(f"m{number}", BEGIN + number, EMAIL) for number in range(5)])
    before = newest(memory)[ANN]
    assert before is not None

    memory.erase(key(*EMAIL), AT, 0)
    if seed % 4 < 2:
        memory.run()
    again = order("again", AT + 1, EMAIL)
    told(memory, order("m3", BEGIN + 3, EMAIL), again, order("late", BEGIN + 77, EMAIL, PHONE))

    after = newest(memory)[ANN]
    if after is None:  # It came before the command did: then it was asked for as well.
        assert changes(memory)[0]["deleted"]["identifiers"] == 1
        return
    assert after["version"] > before["version"]
    assert after["totals"]["GBP"]["orders"] == 1
    assert [row for row in rows(memory, TIMELINE.tag) if row[1:17] != key(*EMAIL)] == []
    assert memory.tally["kairos_interactions_erased",] == 2


def test_another_keeps_what_is_its_own_and_loses_what_names_the_erased() -> None:
    memory = Memory(RULES, 4)
    told(memory, order("own", BEGIN, CRM), order("both", BEGIN + 1, CRM, ("userId", "7")), order("a", BEGIN + 2, EMAIL, ("user_id", "8")))
    memory.produce({**order("named", BEGIN + 3, CRM, EMAIL), "userId": "7"}, key=b"in order")
    memory.run()

    erased(memory, EMAIL)

    living = {name: profile for name, profile in newest(memory).items() if profile is not None and profile.get("mergedInto") is None}
    assert all(EMAIL[1] not in str(profile) for profile in living.values())
    assert not any(EMAIL[1].encode() in row for store in memory.rows for row in store.rows.values())
    assert len(rows(memory, FOLD.tag)) == len(living) == 1


def test_who_was_merged_into_the_erased_redirects_nobody_any_more() -> None:
    memory = Memory(RULES, 5)
    told(memory, order("one", BEGIN, EMAIL), order("two", BEGIN + 1, PHONE), order("both", BEGIN + 2, EMAIL, PHONE))
    gone = customer_id(key(*PHONE))
    assert (newest(memory)[gone] or {})["mergedInto"] == ANN

    erased(memory, PHONE)

    assert newest(memory) == {ANN: None, gone: None}
    (receipt,) = changes(memory)
    assert receipt["deleted"]["redirects"] == 1
    memory.tell_time("2026-01-01T00:00:00Z")
    memory.run()
    assert sum(record.value is None for record in memory.log[topics.PROFILES]) == 2


def test_an_erasure_is_told_of_who_was_nobodys_customer_too() -> None:
    memory = Memory(RULES, 2)

    erased(memory, EMAIL)

    (receipt,) = changes(memory)
    assert (receipt["from"], receipt["into"], receipt["customerId"]) == ([], [], ANN)
    assert receipt["occurredAt"] == instants.text(AT)


def test_an_erasure_is_forgotten_after_the_longest_retention_and_versions_still_go_on() -> None:
    memory = Memory(RULES, 2)
    told(memory, *[order(f"m{number}", BEGIN + number, EMAIL) for number in range(4)])
    before = newest(memory)[ANN]
    erased(memory, EMAIL)

    memory.tell_time(instants.text(AT + ERASED_KEPT - DAY))
    memory.run()
    assert [row for row in rows(memory, DUE.tag) if row[9:10] == ERASURE]
    memory.tell_time(instants.text(AT + ERASED_KEPT))
    memory.run()
    assert rows(memory, DUE.tag) == []
    told(memory, order("again", AT + 1, EMAIL))

    after = newest(memory)[ANN]
    assert before is not None and after is not None and after["version"] > before["version"]
    assert memory.tally["kairos_interactions_erased",] == 0


def test_who_begins_again_in_the_batch_of_the_erasure_is_compared_with_nobody() -> None:
    memory = Memory(RULES, 1)
    told(memory, *[order(f"m{number}", BEGIN + number, EMAIL) for number in range(5)])
    before = newest(memory)[ANN]
    assert before is not None
    memory.produce(order("again", AT + 1, EMAIL))
    memory.step()
    memory.erase(key(*EMAIL), AT, 0)
    log = memory.inputs[topics.IDENTITY, 0]
    log[-2:] = log[:-3:-1]
    memory._random.randint = lambda _, most: most  # type: ignore[method-assign]  # the longest batch
    memory.run()

    ended, after = [record.value for record in memory.log[topics.PROFILES]][-2:]
    assert ended is None
    assert after is not None
    profile = msgspec.json.decode(after)
    assert profile["version"] > before["version"] + 1
    assert profile["totals"]["GBP"]["orders"] == 1
    assert {"language", "totals.GBP"} <= set(profile["changed"])


def test_a_case_that_was_erased_by_its_id_is_named_in_no_profile() -> None:
    named = ("case_id", "case-of-ann")
    memory = Memory(RULES, 2)
    case = {**order("opened", BEGIN, CRM), "event": "Case Opened", "caseId": "case-of-ann"}
    told(memory, order("before", BEGIN, CRM), case)
    apart(memory, key(*CRM), key(*named), True, 0)
    assert b"case-of-ann" in msgspec.json.encode(newest(memory))

    erased(memory, named, number=1)

    assert b"case-of-ann" not in msgspec.json.encode(newest(memory))
    assert [profile["openCases"] for profile in newest(memory).values() if profile] == [[]]
