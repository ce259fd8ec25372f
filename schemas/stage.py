"""A stage change: a customer moved within a journey (topic journey.stages.v1)."""

from schemas.output import Cause, Output


class StageChange(Output, rename="camel", omit_defaults=True, gc=False):
    """From one stage to the next; `from` is null where the journey starts. `retracts` names the id that no longer holds."""

    id: str
    journey: str
    from_: str | None
    to: str
    cause: Cause
    dwell_seconds: float | None
    retracts: str | None = None
