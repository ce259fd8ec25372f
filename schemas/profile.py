"""The profile: the published view of a customer's state (topic journey.profiles.v1, compacted by customer)."""

from typing import Literal

from msgspec import Struct

from schemas.money import Money
from schemas.output import Cause, Output, Timestamp


class Trait(Struct, rename="camel", gc=False):
    """A trait that survived: its value, who said so and when."""

    value: str | int | bool | None
    source: str
    party: str
    occurred_at: Timestamp


class JourneyPosition(Struct, rename="camel", gc=False):
    """Where the customer stands in a journey, since when and why."""

    stage: str
    since: Timestamp
    cause: Cause


class Count(Struct, rename="camel", gc=False):
    """How often, and when last."""

    count: int
    last: Timestamp


class Consent(Struct, rename="camel", gc=False):
    """The consent in force for a purpose and a channel ("*": every channel)."""

    purpose: str
    channel: str
    state: Literal["granted", "denied"]
    basis: str | None
    since: Timestamp


class Reach(Struct, rename="camel", gc=False):
    """Whether a channel may and can be used, and by which type of identifier."""

    state: Literal["reachable", "denied", "unknown"]
    identifier_type: str | None


class Case(Struct, rename="camel", gc=False):
    """A case that is open: what about, since when, and the channels it has crossed."""

    id: str
    topic: str | None
    opened_at: Timestamp
    updated_at: Timestamp
    channels: list[str]
    owner: str | None


class Totals(Struct, rename="camel", gc=False):
    """What the customer ordered and cancelled in one currency; amounts are exact decimals."""

    orders: int
    revenue: Money
    cancellations: int
    cancelled: Money
    refunds: int
    refunded: Money


class Profile(Output, rename="camel", omit_defaults=True, gc=False):
    """One customer as of a time. A redirect (`mergedInto`) says that this id is now another's; its other fields are empty.

    `changed` are the paths at which it says other than the version before, but for the times; of an account that decays, where something was added to it.
    `moments` counts what came, whatever the verdict on it. `interactions` counts all that was ever taken in, also through no channel.
    """

    version: int
    updated_at: Timestamp
    as_of: Timestamp
    known: bool
    cause: Cause
    changed: list[str]
    identifiers: dict[str, list[str]]
    traits: dict[str, Trait]
    consent: list[Consent]
    journeys: dict[str, JourneyPosition]
    segments: list[str]
    moments: dict[str, Count]
    channels: dict[str, Count]
    reach: dict[str, Reach]
    open_cases: list[Case]
    language: str | None
    timezone: str | None
    accounts: list[str]
    totals: dict[str, Totals]
    emotion: float
    irritation: float
    completeness: float
    freshness: dict[str, Timestamp]
    merged_into: str | None = None
    interactions: int = 0
