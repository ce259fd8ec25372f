"""Facts are counted from the topics, each in its own way, so that a loss shows."""

from __future__ import annotations

from hashlib import sha256

import pytest

from schemas import rewritten, topics
from schemas.rewritten import Rewritten
from streams.cli.facts import collect
from streams.rows import uid
from tests.cli import values

SENT = [values.interaction(0, "a"), values.interaction(1, "b"), values.interaction(2, "a"), values.interaction(3, "c"), values.time(4)]


def _nowhere(_stem: str, _value: bytes) -> None:
    pass


def test_reads_reconcile_with_applied_duplicate_and_dead() -> None:
    facts, _ = collect(values.reading({topics.INTERACTIONS: SENT, topics.DEAD_LETTERS: [values.dead(3)]}), _nowhere)
    facts.applied = 2

    assert (facts.read, facts.duplicates, facts.dead) == (4, 1, 1)
    assert facts.reconciles()


def test_a_lost_interaction_does_not_reconcile() -> None:
    facts, _ = collect(values.reading({topics.INTERACTIONS: SENT, topics.DEAD_LETTERS: [values.dead(3)]}), _nowhere)
    facts.applied = 1

    assert not facts.reconciles()


def test_a_refused_record_is_no_duplicate_of_an_applied_one() -> None:
    facts, _ = collect(values.reading({topics.INTERACTIONS: SENT, topics.DEAD_LETTERS: [values.dead(2)]}), _nowhere)

    assert (facts.duplicates, facts.dead) == (0, 1)


def test_a_refused_record_that_was_moved_is_no_duplicate_either() -> None:
    moved = SENT[2]._replace(offset=900, headers=(rewritten.header(Rewritten(0, 2, 1)),))
    facts, _ = collect(values.reading({topics.INTERACTIONS: [*SENT[:2], SENT[3], moved], topics.DEAD_LETTERS: [values.dead(2)]}), _nowhere)

    assert (facts.read, facts.duplicates, facts.dead) == (4, 0, 1)


def test_what_the_customer_agent_refused_is_found_by_its_bytes() -> None:
    late = values.dead(77, "too_late") | {"topic": topics.IDENTITY, "originalSha256": sha256(SENT[2].value or b"").hexdigest()}
    facts, _ = collect(values.reading({topics.INTERACTIONS: SENT, topics.DEAD_LETTERS: [values.dead(3), late]}), _nowhere)
    facts.applied = 2

    assert (facts.read, facts.duplicates, facts.dead, facts.dead_by_reason) == (4, 0, 2, {"not_json": 1, "too_late": 1})
    assert facts.reconciles()


def test_an_interaction_without_an_id_is_nobodys_duplicate() -> None:
    facts, _ = collect(values.reading({topics.INTERACTIONS: [values.interaction(0, None), values.interaction(1, None)]}), _nowhere)

    assert (facts.read, facts.duplicates) == (2, 0)


def test_only_the_newest_profile_counts_and_a_redirect_is_no_customer() -> None:
    older, newer = values.profile(values.ANN, segments=[]), values.profile(values.ANN)
    held = [
        older,
        newer,
        values.profile(values.BOB),
        values.profile(values.ZOE, mergedInto=values.BOB, journeys={}, totals={}, segments=[]),
    ]

    facts, example = collect(values.reading({topics.PROFILES: held}), _nowhere)

    assert (facts.people, facts.merged, facts.orders) == (2, 1, 2)
    assert facts.revenue == {"GBP": "21"}
    assert facts.stages == {"retail": {"loyal": 2}}
    assert facts.segments == {"high_value": 2}
    assert example == "crm_id:17850"


def test_what_was_refunded_is_added_up_by_currency() -> None:
    def totals(refunded: str) -> dict[str, object]:
        return {"orders": 1, "revenue": "9", "cancellations": 0, "cancelled": "0", "refunds": 1, "refunded": refunded}

    held = [
        values.profile(values.ANN, totals={"GBP": totals("1.1")}),
        values.profile(values.BOB, totals={"GBP": totals("2.2"), "": totals("4")}),
    ]

    facts, _ = collect(values.reading({topics.PROFILES: held}), _nowhere)

    assert (facts.refunds, facts.refunded, facts.revenue) == (3, {"": "4", "GBP": "3.3"}, {"": "9", "GBP": "18"})


def test_who_was_merged_counts_also_when_the_redirect_has_ended_and_who_was_erased_does_not() -> None:
    gone = values.profile(values.ZOE, mergedInto=values.BOB, journeys={}, totals={}, segments=[])
    held = [values.profile(values.ANN), values.profile(values.BOB), gone]
    empty = [values.Message(None, key=name.encode()) for name in (values.ANN, values.ZOE)]

    facts, _ = collect(values.reading({topics.PROFILES: [*held, *empty]}), _nowhere)

    assert (facts.people, facts.merged, facts.orders) == (1, 1, 1)


def test_of_one_id_the_greatest_revision_holds_in_any_order() -> None:
    emitted, retracted = values.stage(id="s1", revision=1), values.stage(id="s1", revision=2, retracts="s1")
    again = values.stage(id="s1", revision=3)

    for held in ([emitted, retracted], [retracted, emitted]):
        facts, _ = collect(values.reading({topics.STAGES: held}), _nowhere)
        assert (facts.stage_changes, facts.retractions) == ({}, 1)
    facts, _ = collect(values.reading({topics.STAGES: [emitted, again, retracted]}), _nowhere)
    assert (facts.stage_changes, facts.retractions) == ({"retail": {"loyal": 1}}, 0)


def test_moments_count_by_name_and_verdict() -> None:
    held = [values.moment(id="a"), values.moment(id="b", status="expired"), values.moment(id="c", moment="third_cancellation")]

    facts, _ = collect(values.reading({topics.MOMENTS: held}), _nowhere)

    assert facts.moments == {"big_order": {"expired": 1, "fired": 1}, "third_cancellation": {"fired": 1}}


def test_every_published_value_is_handed_over_once() -> None:
    kept: list[str] = []
    held = {
        topics.PROFILES: [values.profile(segments=[]), values.profile()],
        topics.STAGES: [values.stage()],
        topics.SEGMENTS: [values.segment()],
        topics.MOMENTS: [values.moment()],
        topics.DEAD_LETTERS: [values.dead(0)],
        topics.IDENTITY_CHANGES: [{"kind": "merge"}, {"kind": "split"}],
        topics.IDENTITY_CONFLICTS: [{"rule": "limit"}],
    }

    facts, _ = collect(values.reading(held), lambda stem, _value: kept.append(stem))

    assert sorted(kept) == ["dead", "identity", "identity", "identity", "moments", "profiles", "segments", "stages"]
    assert (facts.merges, facts.splits, facts.conflicts) == (1, 1, 1)


def test_the_customer_to_look_at_is_named_as_a_person() -> None:
    case = values.profile(values.ANN, identifiers={"case_id": ["9"]}, moments={"a": {}, "b": {}})
    person = values.profile(values.BOB, identifiers={"case_id": ["1"], "email": ["bob@brand.co"], "crm_id": ["17850"]})

    assert collect(values.reading({topics.PROFILES: [case, person]}), _nowhere)[1] == "crm_id:17850"


def test_what_an_erasure_deleted_is_accounted_for_by_its_receipt() -> None:
    told = [{"kind": "erasure", "deleted": {"interactions": 1, "links": 7}}, {"kind": "after_erasure", "deleted": {"interactions": 1}}]
    held = {topics.INTERACTIONS: SENT, topics.DEAD_LETTERS: [values.dead(3)], topics.IDENTITY_CHANGES: [*told, {"kind": "merge"}]}
    facts, _ = collect(values.reading(held), _nowhere)

    assert (facts.read, facts.duplicates, facts.dead, facts.erased) == (4, 1, 1, 2)
    assert facts.reconciles()


@pytest.mark.parametrize(("came", "applied", "duplicates"), [(1, 0, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0), (3, 0, 0)])
def test_what_comes_after_an_erasure_is_no_duplicate_whatever_came_before(came: int, applied: int, duplicates: int) -> None:
    """Of the copies of one interaction the first may have stood, and been deleted since."""
    copies = [{"messageId": "a", "source": {"system": "web"}}] * (came + applied + duplicates)
    name = uid(b"secret", "web", "a").hex()
    told = [{"kind": "after_erasure", "late": [name]}] * came + [{"kind": "erasure", "deleted": {"interactions": 1}}] * applied

    facts, _ = collect(values.reading({topics.INTERACTIONS: copies, topics.IDENTITY_CHANGES: told}), _nowhere, b"secret")

    assert (facts.after_erasure, facts.erased, facts.duplicates) == (came, applied, duplicates)
    assert facts.reconciles()
