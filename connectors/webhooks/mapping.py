"""What an output becomes: a request's type, body and id.

The rule this module owns: the output itself goes out as it lies on its topic; around it stand only its type and when it was said. A moment goes out if
it was released; its retraction if what it takes back had been.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from connectors.runtime.instants import since_epoch
from connectors.runtime.sinks import Output, Request
from connectors.webhooks.config import TOPICS, Endpoint
from schemas import topics
from schemas.identity_change import IdentityChange
from schemas.moment import Moment
from schemas.output import Output as Said
from schemas.profile import Profile
from schemas.segment import SegmentChange
from schemas.stage import StageChange

_ENCODE = msgspec.json.Encoder().encode


class _Body(Struct):
    """Standard Webhooks' payload: a type, when it was said, and the output."""

    type: str
    timestamp: str
    data: Raw


class Mapping:
    """One endpoint's: what is for it, and as what."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._moments, self._segments = frozenset(endpoint.moments), frozenset(endpoint.segments)
        self.topics = tuple(TOPICS[name] for name in endpoint.topics)

    def request(self, output: Output) -> Request | None:
        """The request that an output becomes; None where it is not for this endpoint."""
        said = output.said
        if said is None:
            return self._empty(output)
        if not isinstance(said, Said) or (said.replayed and not self._endpoint.replayed):
            return None
        kind = _KINDS[type(said)](self, said)
        if kind is None or output.value is None:
            return None
        body = _ENCODE(_Body(kind, output.time, Raw(output.value)))
        fired = isinstance(said, Moment) and said.status == "fired" and not self._endpoint.expired
        return Request(
            output.id,
            output.customer_id,
            body,
            _instant(said.decided_at),
            _instant(said.expires_at) if fired and isinstance(said, Moment) else None,
            {} if output.trace_parent is None else {"traceparent": output.trace_parent},
        )

    def _empty(self, output: Output) -> Request | None:
        """Of a profile that is no more: whose."""
        if output.topic != topics.PROFILES:
            return None
        body = _ENCODE({"type": "profile.ended", "timestamp": output.time, "data": {"customerId": output.customer_id}})
        return Request(output.id, output.customer_id, body)

    def _moment(self, said: Moment) -> str | None:
        if self._moments and said.moment not in self._moments:
            return None
        if said.status == "retracted":  # Its reason is that of what it takes back.
            return "moment.retracted" if said.reason is None else None
        return "moment.fired" if said.status == "fired" else None

    def _segment(self, said: SegmentChange) -> str | None:
        if self._segments and said.segment not in self._segments:
            return None
        if said.retracts is not None:
            return "segment.retracted"
        return "segment.entered" if said.entered else "segment.left"

    def _stage(self, said: StageChange) -> str:
        return "stage.changed" if said.retracts is None else "stage.retracted"

    def _profile(self, said: Profile) -> str:
        return "profile.changed" if said.merged_into is None else "profile.merged"

    def _change(self, said: IdentityChange) -> str:
        return f"identity.{said.kind}"


_KINDS: dict[type[Struct], Callable[..., str | None]] = {
    Moment: Mapping._moment,
    SegmentChange: Mapping._segment,
    StageChange: Mapping._stage,
    Profile: Mapping._profile,
    IdentityChange: Mapping._change,
}
"""How the type of a request is told, by what it says."""


def _instant(written: str) -> int:
    return since_epoch(datetime.fromisoformat(written))
