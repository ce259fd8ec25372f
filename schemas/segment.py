"""A segment change: a customer entered or left a segment (topic journey.segments.v1)."""

from schemas.output import Cause, Output


class SegmentChange(Output, rename="camel", omit_defaults=True, gc=False):
    """Entered or left, for what purpose the segment exists, and why. `retracts` names the id that no longer holds."""

    id: str
    segment: str
    entered: bool
    purpose: str
    reason: str
    cause: Cause
    retracts: str | None = None
