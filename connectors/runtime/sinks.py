"""The shape of a sink: whom Kairos speaks to. Its rule: `map` is pure and says what is for it, `deliver` does the I/O and says what became of it.

All that sinks have in common is the runner's (connectors/runtime/deliverer.py): order per customer, retries, the breaker, offsets, dead letters.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct


class Output(NamedTuple):
    """A record of an output topic: where it lies, whom it is about, its value as it stands and read (None: empty), its headers."""

    topic: str
    partition: int
    offset: int
    id: str
    """The id of its CloudEvent: the same however often the record is read."""
    time: str
    """When it was said, RFC 3339."""
    customer_id: str
    value: bytes | None
    said: Struct | None
    trace_parent: str | None = None


class Request(NamedTuple):
    """What shall be delivered: its id (the same at every attempt), the customer whose requests keep their order, the body as the system takes it.

    Instants are microseconds UTC: when Kairos decided what it says; until when it may go out (None: always).
    """

    id: str
    customer_id: str
    body: bytes
    decided_at: int | None = None
    expires_at: int | None = None
    headers: Mapping[str, str] = {}


class Outcome(NamedTuple):
    """What became of an attempt.

    delivered: the system has it. refused: it has read this request and will never take it. failed: not now; try again. throttled: it asks not to be
    asked for so many seconds. gone: it wants nothing any more. `detail` says how, without personal data.
    """

    kind: Literal["delivered", "refused", "failed", "throttled", "gone"]
    detail: str = ""
    retry_after_seconds: float = 0.0


class Sink(Protocol):
    """A system that outputs are delivered to."""

    @property
    def topics(self) -> Sequence[str]:
        """What it wants to hear of."""

    @property
    def batch_max(self) -> int:
        """So many requests, each of another customer, are given to `deliver` at once."""

    def map(self, output: Output) -> Request | None:
        """The request that an output becomes; None where it is not for this system. Pure."""

    async def deliver(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One attempt; an outcome for each. What the outside world does is an outcome, never an exception."""

    async def close(self) -> None:
        """Let go of connections."""
