"""Dead letters of deliveries. Their rule: they say where an output lies and how it went, never what it says."""

import time

from connectors.runtime.fetched import Fetched
from connectors.runtime.instants import SECOND, rfc3339
from connectors.runtime.waiting import Entry
from schemas.delivery import DeadDelivery, Reason


def of_request(endpoint: str, entry: Entry, reason: Reason, detail: str) -> DeadDelivery:
    """Of a request that the endpoint does not get."""
    return DeadDelivery(
        endpoint=endpoint,
        id=entry.request.id,
        customer_id=entry.request.customer_id,
        topic=entry.place[0],
        partition=entry.place[1],
        offset=entry.offset,
        reason=reason,
        detail=detail,
        attempts=entry.attempts,
        first_attempt_at=rfc3339(int(entry.since) * SECOND),
        last_attempt_at=rfc3339(time.time_ns() // 1000),
    )


def of_record(endpoint: str, record: Fetched) -> DeadDelivery:
    """Of a record that is none of its topic's."""
    return DeadDelivery(
        endpoint=endpoint,
        id=record.headers.get("ce_id", b"").decode(errors="replace"),
        customer_id=(record.key or b"").decode(errors="replace"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason="unreadable",
        detail="",
        attempts=0,
        first_attempt_at=None,
        last_attempt_at=None,
    )
