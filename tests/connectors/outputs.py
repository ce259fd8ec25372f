"""Outputs as Kairos says them, made for the tests of those who deliver or follow them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connectors.runtime.sinks import Output
from schemas import topics
from schemas.moment import Explanation, Moment
from schemas.output import Cause, Subject
from schemas.profile import Profile
from schemas.record import cloud_event_headers, encode
from schemas.segment import SegmentChange
from schemas.stage import StageChange

ANN = "caaaaaaaaaaaaaaaaaaaaaaaaaa"
LATER = "2099-01-01T00:00:00Z"
AT = "2026-11-22T12:00:00Z"


def moment(name: str = "cart", number: int = 1, customer: str = ANN, **fields: Any) -> Moment:
    """One that was released and expires in a long time."""
    made = Moment(
        *_envelope(customer),
        id=f"{name}-{number}",
        moment=name,
        scope="business_moment",
        status="fired",
        reason=None,
        expires_at=LATER,
        significance=1.0,
        rarity=None,
        explanation=Explanation(name, {}, "Left the cart.", "en"),
        offers=[],
        recommended_action=None,
        recommended_channel=None,
    )
    return replace(made, **fields)


def stage(**fields: Any) -> StageChange:
    """A stage change."""
    return replace(StageChange(*_envelope(ANN), "s-1", "shop", None, "visitor", Cause("event", "m1"), None), **fields)


def segment(name: str = "vip", **fields: Any) -> SegmentChange:
    """A segment entered."""
    return replace(SegmentChange(*_envelope(ANN), "g-1", name, True, "service", "Bought often.", Cause("event", "m1")), **fields)


def profile(customer: str = ANN, version: int = 1, **fields: Any) -> Profile:
    """A profile with nothing in it."""
    made = Profile(
        *_envelope(customer),
        version=version,
        updated_at=AT,
        as_of=AT,
        known=True,
        cause=Cause("event", "m1"),
        changed=[],
        identifiers={"user_id": ["ann"]},
        traits={},
        consent=[],
        journeys={},
        segments=[],
        moments={},
        channels={},
        reach={},
        open_cases=[],
        language=None,
        timezone=None,
        accounts=[],
        totals={},
        emotion=0.0,
        irritation=0.0,
        completeness=0.0,
        freshness={},
    )
    return replace(made, **fields)


def output(said: Struct | None, topic: str = topics.MOMENTS, customer: str = ANN) -> Output:
    """As the feed reads it."""
    return Output(topic, 0, 7, "cart-1-1", AT, customer, None if said is None else encode(said), said)


def headers(event_id: str, topic: str) -> list[tuple[str, bytes]]:
    """Those of its record."""
    return list(cloud_event_headers(event_id, topic, "kairos", AT))


def _envelope(customer: str) -> tuple[Any, ...]:
    return Subject("person", customer), customer, 1, 1, "", False, AT, AT, AT, "v", ["m1"]
