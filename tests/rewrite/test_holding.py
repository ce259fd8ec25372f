"""Whom a record holds: by the erasure's own rule where it is somebody's interaction, by name or by looks where it is nobody's state."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from schemas import topics
from schemas.dead_letter import letter
from schemas.record import encode
from streams import instants
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.past import Mark, Past
from streams.rewrite.holding import TOPICS, Judge
from streams.rewrite.marks import Marks
from streams.rows import NodeKey
from tests.intake.given import POLICY, Record
from tests.intake.kinds import NOW_SECONDS, bytes_of

NOW = NOW_SECONDS * 1_000_000
BEFORE, AFTER = instants.text(NOW - 1), instants.text(NOW + 1)


def key(kind: str, value: str) -> NodeKey:
    found = normaliser(POLICY).normalise(kind, value)
    assert isinstance(found, Identifier)
    return found.key


MARKS = {
    key("user_id", "ann-4711"): Mark(NOW, 1, True),
    key("email", "ann.secret@kairos.shop"): Mark(NOW, 1, True),
    key("phone", "+442079460123"): Mark(NOW, 1, True),
    key("device_id", "a-tablet"): Mark(NOW, 1, False),
}
HERS = customer_id(key("user_id", "ann-4711"))
JUDGE = Judge(POLICY, Marks(Past(MARKS), {HERS: NOW}), NOW, replayed=False)


def holds(topic: str, value: object, **more: Any) -> bool:
    return JUDGE.holds(topic, Record(value if isinstance(value, bytes) else encode(value), **more))


def interaction(at: str = BEFORE, **said: object) -> bool:
    return holds(topics.INTERACTIONS, bytes_of({"event": "Order Completed", "timestamp": at, **said}))


def refused(original: bytes, at: str = BEFORE, key: bytes | None = None) -> bool:
    return holds(topics.DEAD_LETTERS, letter("not_json", "", topics.INTERACTIONS, 0, 1, key, original, at))


def test_an_interaction_goes_where_the_erasure_made_it_void() -> None:
    assert interaction(userId="ann-4711")
    assert interaction(userId="ben", traits={"email": " Ann.Secret@Kairos.shop"}), "one that was hers names it"
    assert interaction(identifiers={"device_id": "a-tablet"}), "it is anchored at what she had"
    assert not interaction(userId="ben", identifiers={"device_id": "a-tablet"}), "a thing that people share: it is another's"
    assert not interaction(userId="ben", text="ask ann.secret@kairos.shop"), "another's words are another's"
    assert not interaction(AFTER, userId="ann-4711"), "she began again"


def test_an_interaction_that_is_refused_goes_by_what_it_names() -> None:
    assert holds(topics.INTERACTIONS, b'{"userId":"ann-4711","event":')
    assert holds(topics.INTERACTIONS, bytes_of({"userId": "ann-4711", "timestamp": BEFORE}))
    assert not holds(topics.INTERACTIONS, b'{"userId":"ben-4711","event":')


@pytest.mark.parametrize(
    "original",
    [
        b'{"userId":"ann-4711"}',
        b'{"a":[{"context":{"traits":{"email":"ANN.secret@kairos.shop"}}}]}',
        b'{"a":"write to \\u0061nn.secret@kairos.shop."}',
        b'{"text":"call +44 20 7946 0123 today"}',
        b'{"identifiers":{"device_id":["a-tablet"]}}',
        b'{"context":{"device":{"id":"a-tablet"}}}',
        b'{"identifiers":[{"type":"user_id","value":"ann-4711"}]}',
        b"17;ann-4711;4.50",
        b"\xff\xfe ann.secret@kairos.shop",
        b'{"userId":"ann-4711","properties":' + b"[" * 5_000,
    ],
    ids=str,
)
def test_a_dead_letter_goes_whatever_was_wrong_with_the_record(original: bytes) -> None:
    assert b64encode(original[:8])[:8] in encode(letter("not_json", "", topics.INTERACTIONS, 0, 1, None, original, BEFORE))
    assert refused(original)
    assert not refused(original, AFTER)


def test_a_dead_letter_of_another_stays() -> None:
    assert refused(b"?", key=b"ann-4711")
    assert not refused(b'{"userId":"ben","properties":{"sku":"ann-4711"}}'), "what no field of an identifier holds is none"
    assert not refused(b"17;ben;ann-4712")
    assert not refused(b"", key=b"ben")


def test_a_command_goes_that_names_one_or_says_why() -> None:
    def command(at: str, reason: str, **named: str) -> bool:
        identifiers = [{"type": kind, "value": value} for kind, value in named.items()]
        return holds(topics.COMMANDS, {"id": "c", "kind": "erase", "identifiers": identifiers, "actor": "b", "at": at, "reason": reason})

    assert command(BEFORE, "asked", user_id="ann-4711")
    assert command(BEFORE, "asked", device_id="a-tablet")
    assert command(BEFORE, "ann.secret@kairos.shop asked", user_id="ben")
    assert not command(BEFORE, "asked", user_id="ben")
    assert not command(AFTER, "asked", user_id="ann-4711")
    assert holds(topics.COMMANDS, b'{"identifiers":[{"type":"email","value":"ann.secret@kairos.shop"}]}')


@pytest.mark.parametrize("topic", [topics.STAGES, topics.SEGMENTS, topics.MOMENTS])
def test_an_output_goes_that_was_decided_about_who_is_no_more(topic: str) -> None:
    assert holds(topic, {"customerId": HERS, "decidedAt": BEFORE})
    assert not holds(topic, {"customerId": HERS, "decidedAt": AFTER})
    assert not holds(topic, {"customerId": "cben", "decidedAt": BEFORE})
    assert holds(topic, b"odd", key=HERS.encode())
    assert not holds(topic, b"odd", key=b"cben")


def test_a_delivery_goes_that_was_hers() -> None:
    assert holds(topics.DEAD_DELIVERIES, {"customerId": HERS, "lastAttemptAt": None})
    assert holds(topics.DEAD_DELIVERIES, {"customerId": HERS, "lastAttemptAt": BEFORE})
    assert not holds(topics.DEAD_DELIVERIES, {"customerId": "cben", "lastAttemptAt": BEFORE})


def test_every_topic_with_a_retention_is_rewritten_but_those_that_hold_hashes_only() -> None:
    retained = {name for name, topic in topics.BY_NAME.items() if topic.cleanup == "delete"}

    assert {*TOPICS, topics.IDENTITY} == retained - {*topics.HASHES_ONLY}
    assert not JUDGE.holds(topics.STAGES, Record(None))
