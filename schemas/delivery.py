"""What becomes of deliveries: those that an endpoint did not take, and endpoints that are switched off.

The rule this module owns: nothing here repeats what an output says; it says where it lies.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.output import Timestamp

Reason = Literal["refused", "given_up", "unreadable"]

REASONS: Mapping[Reason, str] = {
    "refused": "The endpoint has read the request and will never take it (HTTP 400, 413, 415, 422).",
    "given_up": "It failed again and again, for as long as the endpoint's `retry_hours`.",
    "unreadable": "The record on the topic is none that its contract knows.",
}
"""Why an output was not delivered; all that needs an operator's eye."""


class DeadDelivery(Struct, kw_only=True, rename="camel"):
    """An output that an endpoint did not get: which (topic, partition, offset, and the id it was sent under), why, and how often it was tried."""

    endpoint: str
    id: str
    customer_id: str
    topic: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    attempts: int
    first_attempt_at: Timestamp | None
    last_attempt_at: Timestamp | None


class EndpointSwitch(Struct, kw_only=True, rename="camel"):
    """An endpoint was switched off, or on again: since when, by whom (`endpoint`: it answered 410 Gone; `operator`) and why."""

    endpoint: str
    state: Literal["enabled", "disabled"]
    since: Timestamp
    by: Literal["endpoint", "operator"]
    why: str
