"""Bad input: a dead letter with a fitting reason each, and no harm to its neighbours."""

from hashlib import sha256
from random import Random

import pytest

from schemas import topics
from schemas.dead_letter import ORIGINAL_BYTES_MAX, REASONS
from streams.intake import steps
from tests.intake.given import LIVE, PARTITIONS, POLICY, Record, decide, event_of, letter_of
from tests.intake.kinds import KINDS, Kind, bytes_of, good

ANN = "ann@kairos.shop - at `$.x`"
SAMPLES = 12
"""Of each kind: together over a thousand payloads."""


def test_there_are_a_thousand_payloads_of_thirty_kinds() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 30
    assert len(KINDS) * SAMPLES >= 1_000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_bad_record_is_a_dead_letter_with_the_fitting_reason(kind: Kind) -> None:
    random = Random(kind.name)
    bad = [kind.make(random) for _ in range(SAMPLES)]

    decision = decide(*(Record(value, headers, offset=offset) for offset, (value, headers) in enumerate(bad)))

    assert [letter_of(outgoing).reason for outgoing in decision.send] == [kind.reason] * SAMPLES
    for offset, (outgoing, (value, _)) in enumerate(zip(decision.send, bad, strict=True)):
        letter, original = letter_of(outgoing), value or b""
        assert letter.original == original[:ORIGINAL_BYTES_MAX]
        assert letter.original_size == len(original)
        assert letter.original_sha256 == sha256(original).hexdigest()
        assert (letter.topic, letter.partition, letter.offset) == (topics.INTERACTIONS, 2, offset)
        assert letter.original_key == b"a key"
        assert letter.detail
    assert decision.tally["kairos_interactions_dead", kind.reason] == SAMPLES
    assert decision.tally[("kairos_interactions_read",)] == SAMPLES


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"type": ANN}, "$.type"),
        ({"source": {"party": ANN}}, "$.source.party"),
        ({"consent": [{"purpose": "p", "state": ANN}]}, "$.consent[0].state"),
    ],
)
def test_what_is_said_of_a_bad_record_repeats_nothing_of_it(sent: dict[str, object], place: str) -> None:
    (outgoing,) = decide(Record(bytes_of(good(Random(1)) | sent))).send

    assert letter_of(outgoing).reason == "wrong_type"
    assert "ann" not in letter_of(outgoing).detail
    assert place in letter_of(outgoing).detail


@pytest.mark.parametrize(
    "name", ["channel", "touchpoint", "event", "topic", "language", "timezone", "department", "caseId", "account", "groupId"]
)
def test_a_name_that_is_too_long_is_refused(name: str) -> None:
    right, wrong = (decide(Record(bytes_of(good(Random(1)) | {name: "x" * count}))).send[0] for count in (512, 513))

    assert right.topic == topics.IDENTITY
    assert (letter_of(wrong).reason, f"$.{name}" in letter_of(wrong).detail) == ("wrong_type", True)


def test_more_decisions_than_an_interaction_may_tell_are_refused() -> None:
    told = [{"purpose": f"p{number}", "state": "denied"} for number in range(65)]

    right, wrong = (decide(Record(bytes_of(good(Random(1)) | {"consent": told[:count]}))).send[0] for count in (64, 65))

    assert (right.topic, letter_of(wrong).reason) == (topics.IDENTITY, "wrong_type")


def test_bad_records_take_no_good_one_with_them() -> None:
    random = Random(1)
    records = []
    for offset in range(2 * len(KINDS)):
        value, headers = KINDS[offset // 2].make(random) if offset % 2 else (bytes_of(good(random)), ())
        records.append(Record(value, headers, offset=offset))

    decision = decide(*records)

    assert len(decision.send) == len(records)
    for offset, outgoing in enumerate(decision.send):
        if offset % 2:
            assert letter_of(outgoing).offset == offset
        else:
            assert event_of(outgoing).touch
    assert decision.send[::2] == decide(*records[::2]).send


def test_decision_is_the_same_whatever_the_depth_of_the_stack() -> None:
    record = Record(b'{"userId":"1","event":"x","timestamp":1772355600,"properties":' + b"[" * 63 + b"]" * 63 + b"}")
    nested = Record(b'{"userId":"1","event":"x","timestamp":1772355600,"properties":{"a":' + b"[" * 62 + b"]" * 62 + b"}}")

    def below(depth: int) -> list[str]:
        if depth:
            return below(depth - 1)
        return [outgoing.topic for outgoing in steps.decide([record, nested], LIVE, POLICY, PARTITIONS).send]

    assert below(0) == below(700) == [topics.DEAD_LETTERS, topics.IDENTITY]


def test_brackets_in_texts_are_no_depth() -> None:
    value = good(Random(2)) | {"text": "[" * 500 + '{"' * 500 + "\\", "properties": {"a\\": '"[[[' * 100, "b": [[{}]] * 100}}

    assert event_of(decide(Record(bytes_of(value))).send[0]).touch


def test_every_reason_of_intake_has_a_kind() -> None:
    elsewhere = {"too_late", "poison", "bad_command", "bad_identifier"}

    assert {kind.reason for kind in KINDS} == set(REASONS) - elsewhere
