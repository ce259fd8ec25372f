"""The interaction: one touch of a customer and a brand, as producers send it (topic journey.interactions.v1).

The names are Segment's, so that what producers already send is understood. A field that is not listed is kept, unread.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from schemas import topics

RECORD_BYTES_MAX = 256 * 1024
"""A record of the topic holds at most this; the collector's default is COLLECTOR_BYTES_MAX."""
COLLECTOR_BYTES_MAX = 32 * 1024
AHEAD_SECONDS_MAX = 24 * 3600
"""An interaction that occurred further ahead of its reception is refused: it never moves time."""
SKEW_SECONDS_MAX = 24 * 3600
"""A sender's clock may be wrong by this much to be corrected; beyond, the record was kept and sent again later."""
JSON_DEPTH_MAX = 64
"""Objects and lists within one another, at most; deeper values are refused."""
NUMBER_DIGITS_MAX = 64
NUMBER_EXPONENT_MAX = 400
"""A number in properties, traits or context has at most so many digits, and lies within 10 to the power of plus or minus this."""
MESSAGE_ID_CHARACTERS_MAX = 512
IDENTIFIERS_MAX = 64
"""Identifiers of one interaction, at most."""
NAME_CHARACTERS_MAX = 512
"""A channel, a touchpoint, a source, a language, a case and what else a customer's state keeps by name is at most so long."""
CONSENTS_MAX = 64
"""Decisions of one interaction, at most."""

TYPES = ("track", "identify", "page", "screen", "group", "alias")

CHANNELS = (
    *("web", "mobile", "email", "sms", "push", "chat", "social", "voice", "ivr", "video"),
    *("store", "kiosk", "iot", "mail", "partner", "survey", "ticket", "campaign", "bureau", "back_office"),
)
"""The channels with a name of their own; another name is accepted and counted."""

EVENTS = {
    "Order Completed": "order",
    "Order Cancelled": "cancellation",
    "Order Refunded": "refund",
    "Case Opened": "case_opened",
    "Case Updated": "case_updated",
    "Case Solved": "case_solved",
    "Contact Started": "contact_started",
    "Contact Ended": "contact_ended",
    "Survey Answered": "survey",
    "Campaign Sent": "campaign",
    "Consent Changed": "consent",
}
"""The events with a meaning to a customer's state: what producers call them, and what they mean."""

OUTCOMES = {
    "delivered": "Moment Delivered",
    "opened": "Moment Opened",
    "acted": "Moment Acted",
    "converted": "Moment Converted",
}
"""What may become of a moment that was released, and the event that says so; `outcome`, or the property `momentId`, names the moment."""
OUTCOME_TOKEN_CHARACTERS_MAX = 64
"""A moment's `outcomeToken` has no more; it is opaque."""

MONEY_MEANINGS = ("order", "cancellation", "refund")
"""The meanings that count money: the property `revenue`, or where there is none `value`."""

Id = str | int
"""An identifier as clients send it: text, or a whole number that is read as its text."""
Name = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]
NamedId = Name | int
"""What is no identifier of a person, as clients send it."""
Document = dict[str, msgspec.Raw]
"""A JSON object of the producer's own shape: the names it has at its top, the values as they were sent."""
Instant = Annotated[
    str | int | float, Meta(description="RFC 3339 text; a number is seconds, milliseconds or microseconds since 1970, told apart by size.")
]


class Amount(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """An exact amount of money: a number is read from its literal, a string as it stands."""

    amount: Decimal
    currency: Annotated[str, Meta(pattern="^[A-Za-z]{3}$", max_length=3, description="ISO 4217.")]


class Operator(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Who served the customer: a person, a team or a machine, and whose."""

    name: str | None = None
    party: str | None = None


class Outcome(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What became of a moment that Kairos published; `token`, the moment's `outcomeToken`, says whose it was where no identifier does."""

    moment_id: str
    kind: str
    token: str | None = None


class ConsentGiven(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One decision of the customer: for a purpose and a channel, since when and on what basis."""

    purpose: Name
    channel: Name | None = None
    state: Literal["granted", "denied"]
    basis: Name | None = None
    at: Instant | None = None


class Source(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Where the record comes from and whose data it is."""

    system: Name | None = None
    party: Literal["first", "second", "third"] | None = None
    owner: Name | None = None


class Account(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A company the customer acts for: a dated relation, never an identifier of a person."""

    id: NamedId
    name: str | None = None


class Interaction(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One interaction on the wire: JSON in camelCase; a producer needs to send an identifier, an event (or a type) and a timestamp."""

    message_id: Id | None = None
    type: Literal["track", "identify", "page", "screen", "group", "alias"] = "track"
    event: Name | None = None
    name: str | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    previous_id: Id | None = None
    group_id: NamedId | None = None
    identifiers: dict[str, list[Id | None] | Id | None] | None = None
    timestamp: Instant | None = None
    original_timestamp: Instant | None = None
    sent_at: Instant | None = None
    received_at: Instant | None = None
    channel: Name | None = None
    touchpoint: Name | None = None
    direction: Literal["inbound", "outbound"] | None = None
    account: Account | NamedId | None = None
    case_id: NamedId | None = None
    conversation_id: NamedId | None = None
    session_id: Id | None = None
    topic: Name | None = None
    language: Name | None = None
    timezone: Name | None = None
    department: Name | None = None
    operator: Operator | None = None
    value: Amount | None = None
    cost: Amount | None = None
    duration_seconds: float | None = None
    outcome: Outcome | None = None
    context: Document | None = None
    traits: Document | None = None
    properties: Document | None = None
    text: str | None = None
    consent: Annotated[list[ConsentGiven], Meta(max_length=CONSENTS_MAX)] | None = None
    source: Source | None = None


TIME_HEADER = "kairos-time"
"""A record with this header is no interaction: under the replay clock its value says the least timestamp still to come on its partition;
under the live clock it is counted and dropped."""
ORIGIN_HEADER = "kairos-origin"
"""Under the replay clock: where a record that is fed again lay, and when the broker took it there, as PARTITION/OFFSET/MILLISECONDS/CLOCK, the clock
being the one it was read by, `live` or `replay`. It is read as it was there. Under the live clock the header says nothing."""
REFUSED_HEADER = "kairos-refused"
"""A record with this header was refused by a source's reader: the header holds the reason, the value the original bytes."""
DETAIL_HEADER = "kairos-refused-detail"
"""What exactly a source's reader found, in UTF-8 and without personal data; beside REFUSED_HEADER, optional."""


def derived_id(partition: int, offset: int) -> str:
    """The id of an interaction that brings none, from where it lies on its topic."""
    return f"{topics.INTERACTIONS}-{partition}-{offset}"
