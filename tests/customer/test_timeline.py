"""The timeline is a set; checkpoints make a late interaction in a long one cheap, and are void where it came before them."""

from itertools import permutations

import pytest

from streams import rows as kinds
from streams.customer import refold, timeline
from streams.instants import DAY
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import CHECKPOINT, Touch, encode_touch
from tests.customer.memory import SECRET, SUBJECT, Customer, MemoryRows

FRAGMENTS = [b"a" * 16, b"b" * 16]
RULES = rulebook(retail)


def touch(id: str, at: int, event: str = "Order Completed", source: str = "s") -> Touch:
    payload = b'{"properties": {"revenue": 10, "currency": "GBP"}}'
    return Touch(id, source, at, at, "track", event, "web", "shop", (("crm_id", "1"),), payload)


def put(rows: MemoryRows, one: Touch, fragment: bytes = FRAGMENTS[0]) -> str:
    return timeline.insert(rows, fragment, kinds.uid(SECRET, one.source, one.id), encode_touch(one))


def test_inserting_twice_changes_nothing() -> None:
    rows = MemoryRows()

    assert put(rows, touch("a", 5)) == "fresh"
    before = dict(rows.stored)
    assert put(rows, touch("a", 5)) == "duplicate"
    assert put(rows, touch("a", 6)) == "duplicate"
    assert rows.stored == before


def test_of_two_with_one_id_the_least_wins_in_any_order() -> None:
    versions = [touch("a", 5), touch("a", 4), touch("a", 4, "Order Cancelled")]
    ends = set()
    for order in permutations(versions):
        rows = MemoryRows()
        for one in order:
            put(rows, one)
        ends.add(tuple(rows.stored.values()))

    assert len(ends) == 1
    assert ends.pop() == (min(encode_touch(versions[1]), encode_touch(versions[2])),)


def test_one_id_in_two_fragments_counts_once_and_the_least_wins() -> None:
    rows = MemoryRows()
    put(rows, touch("a", 5), FRAGMENTS[0])
    put(rows, touch("a", 4), FRAGMENTS[1])
    put(rows, touch("b", 4), FRAGMENTS[1])

    assert [(one.id, one.occurred_at) for one in timeline.read(rows, FRAGMENTS)] == [("a", 4), ("b", 4)]
    assert [(one.id, one.occurred_at) for one in timeline.read(rows, FRAGMENTS[:1])] == [("a", 5)]


def test_equal_ids_of_two_sources_are_two_interactions() -> None:
    rows = MemoryRows()
    put(rows, touch("a", 5, source="t"))
    put(rows, touch("a", 5, source="s"))

    assert [one.source for one in timeline.read(rows, FRAGMENTS)] == ["s", "t"]


def test_ties_are_told_apart_by_the_bytes_of_the_id() -> None:
    rows = MemoryRows()
    for name in ("é", "z", "B", "ab", "a", "\U0001f600", "\uffee"):
        put(rows, touch(name, 5))

    names = [one.id for one in timeline.read(rows, FRAGMENTS)]
    assert names == sorted(names, key=str.encode) == ["B", "a", "ab", "z", "é", "\uffee", "\U0001f600"]


def _checkpoints(customer: Customer) -> list[int]:
    found = customer.rows.scan(CHECKPOINT, SUBJECT, kinds.end_of(SUBJECT))
    return [int.from_bytes(key[len(SUBJECT) :], "big") for key, _ in found]


def test_a_late_interaction_folds_from_the_checkpoint_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 10)
    customer = Customer(RULES)
    for day in range(45):
        customer.arrive(touch(f"o{day:02}", day * DAY))
    assert _checkpoints(customer) == [9 * DAY, 19 * DAY, 29 * DAY, 39 * DAY]
    folded: list[int] = []
    real = refold.fold
    monkeypatch.setattr(
        refold, "fold", lambda state, touches, until, rules: (folded.append(len(touches)), real(state, touches, until, rules))[1]
    )

    assert customer.arrive(touch("late", 31 * DAY + 1)) == "refold"

    assert customer.based == 1
    assert sum(folded) == 16
    assert _checkpoints(customer) == [9 * DAY, 19 * DAY, 29 * DAY, 38 * DAY]
    assert customer.state.interactions == 46


def test_what_fell_due_before_a_checkpoint_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 2)
    customer = Customer(RULES)
    customer.arrive(touch("seen", 0, "Page Viewed"))
    customer.tick(200 * DAY)
    customer.arrive(touch("order", 10 * DAY))
    assert _checkpoints(customer) == [190 * DAY]

    customer.arrive(touch("again", 195 * DAY))
    customer.arrive(touch("late", 192 * DAY))

    assert customer.based == 1
    stages = sorted((said.emission.occurred_at // DAY, said.emission.to) for said in customer.standing().values())
    assert stages == [(0, "prospect"), (10, "first_order"), (100, "at_risk"), (190, "lapsed"), (192, "won_back"), (195, "repeat")]


def test_checkpoints_of_other_rules_or_other_people_are_not_folded_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 2)
    customer = Customer(RULES)
    for day in range(9):
        customer.arrive(touch(f"o{day}", day * DAY))
    fragments = sorted(customer.fragments)
    assert _checkpoints(customer)

    again = refold.refold(customer.rows, SUBJECT, [*fragments, b"z" * 16], 8 * DAY, customer.state, 9 * DAY, RULES)

    assert again.base is None
    assert again.folded.state.interactions == 9


def test_people_who_became_others_leave_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 2)
    customer = Customer(RULES)
    for day in range(9):
        customer.arrive(touch(f"o{day}", day * DAY))

    refold.forget(customer.rows, SUBJECT)

    assert _checkpoints(customer) == []
