"""A moment: a chance to win or lose a customer (topic journey.moments.v1)."""

from typing import Literal

from msgspec import Struct

from schemas.output import Output, Timestamp

Status = Literal["fired", "suppressed", "deferred", "expired", "retracted"]


class Explanation(Struct, rename="camel", gc=False):
    """Why, for a person: a sentence in a language, its key for translators and the values it holds."""

    key: str
    values: dict[str, str | int | None]
    text: str
    language: str


class Moment(Output, rename="camel", omit_defaults=True, gc=False):
    """A moment and its verdict; never act after `expiresAt`. `retracts` names the id that no longer holds."""

    id: str
    moment: str
    scope: Literal["business_moment", "moment_of_truth", "defining_moment"]
    status: Status
    reason: str | None
    expires_at: Timestamp
    significance: float
    rarity: float | None
    explanation: Explanation
    offers: list[str]
    recommended_action: str | None
    recommended_channel: str | None
    retracts: str | None = None
