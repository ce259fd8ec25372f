"""Builders of wire values, as the workers publish them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from schemas import topics
from schemas.interaction import TIME_HEADER

ANN, BOB, ZOE = "cannannannannannannannannan", "cbobbobbobbobbobbobbobbobbo", "czoezoezoezoezoezoezoezoezo"
EVENT = {"kind": "event", "messageId": "m1"}


class Message(NamedTuple):
    """A record as connectors.consumer gives it."""

    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    offset: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = ""
    timestamp_ms: int = 0


def output(customer: str = ANN, **more: Any) -> dict[str, Any]:
    """The envelope of an output, and what is its own."""
    envelope = {
        "subject": {"kind": "person", "id": customer},
        "customerId": customer,
        "customerVersion": 1,
        "revision": 1,
        "owner": "crm",
        "replayed": True,
        "occurredAt": "2011-03-01T09:00:00Z",
        "receivedAt": None,
        "decidedAt": "2026-01-01T00:00:00Z",
        "ruleVersion": "r1",
        "evidence": ["m1"],
    }
    return envelope | more


def stage(**more: Any) -> dict[str, Any]:
    """A stage change."""
    return output(**({"id": "s1", "journey": "retail", "from": "repeat", "to": "loyal", "cause": EVENT, "dwellSeconds": None} | more))


def segment(**more: Any) -> dict[str, Any]:
    """A segment change."""
    return output(
        **({"id": "g1", "segment": "high_value", "entered": True, "purpose": "care", "reason": "over 5,000", "cause": EVENT} | more)
    )


def moment(**more: Any) -> dict[str, Any]:
    """A moment that fired."""
    explanation = {"key": "big_order", "values": {}, "text": "Ordered for 900.00, 3.1 times the usual.", "language": "en"}
    own = {"id": "o1", "moment": "big_order", "scope": "business_moment", "status": "fired", "reason": None, "explanation": explanation}
    return output(**(own | more))


def profile(customer: str = ANN, **more: Any) -> dict[str, Any]:
    """A customer with one order."""
    totals = {"orders": 1, "revenue": "10.5", "cancellations": 0, "cancelled": "0", "refunds": 0, "refunded": "0"}
    own = {
        "version": 3,
        "asOf": "2011-12-10T00:00:00Z",
        "known": True,
        "identifiers": {"crm_id": ["17850"]},
        "traits": {"country": {"value": "France", "source": "shop", "party": "first", "occurredAt": "2011-03-01T09:00:00Z"}},
        "consent": [],
        "journeys": {"retail": {"stage": "loyal", "since": "2011-03-01T09:00:00Z", "cause": EVENT}},
        "segments": ["high_value"],
        "moments": {"big_order": {"count": 1, "last": "2011-03-01T09:00:00Z"}},
        "channels": {"web": {"count": 1, "last": "2011-03-01T09:00:00Z"}},
        "openCases": [],
        "language": "fr",
        "timezone": None,
        "freshness": {"shop": "2011-03-01T09:00:00Z", "app": "2011-11-02T10:00:00Z"},
        "totals": {"GBP": totals},
        "emotion": 0.0,
        "irritation": 0.0,
        "mergedInto": None,
    }
    return output(customer, **(own | more))


def dead(offset: int, reason: str = "not_json") -> dict[str, Any]:
    """A dead letter of the record at an offset of partition 0 of the interactions."""
    own = {"reason": reason, "detail": "why", "topic": topics.INTERACTIONS, "partition": 0, "offset": offset}
    return own | {"originalKey": None, "original": "", "originalSize": 0, "originalSha256": "", "receivedAt": "2026-01-01T00:00:00Z"}


def interaction(offset: int, message_id: str | None) -> Message:
    """An interaction at an offset of partition 0."""
    value = {"event": "Order Completed", "timestamp": "2011-03-01T09:00:00Z", "userId": "7", "source": {"system": "shop"}}
    return Message(orjson.dumps(value | ({"messageId": message_id} if message_id else {})), offset=offset)


def time(offset: int) -> Message:
    """A time record."""
    return Message(b'{"time":"2011-12-10T00:00:00Z"}', offset=offset, headers=((TIME_HEADER, b"1"),))


def reading(held: dict[str, list[Message | dict[str, Any]]]) -> Any:
    """A reader of these topics: values as dicts, or whole messages; a profile's key is its customer."""

    def read(topic: str) -> Iterator[Message]:
        for value in held.get(topic, []):
            yield value if isinstance(value, Message) else Message(orjson.dumps(value), key=str(value.get("customerId", "")).encode())

    return read
