"""A moment: a chance to win or lose a customer (topic journey.moments.v1)."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.money import Money
from schemas.output import Output, Timestamp

Status = Literal["fired", "suppressed", "deferred", "expired", "retracted"]
Reason = Literal["expired", "cool_down", "cap"]

REASONS: Mapping[Reason, str] = {
    "expired": "It was past its `expiresAt` when it was judged (status `expired`).",
    "cool_down": "One of the same name was released to the customer not long enough before.",
    "cap": "As many of the same name were released to the customer within a time as its rule allows.",
}
"""Why a moment was not released, and what that means."""


class MoneyAmount(Struct, frozen=True, gc=False):
    """An amount of money among an explanation's values, and its currency, where that is known; what is divided is rounded to the cent."""

    amount: Money
    currency: str | None


Value = str | int | float | bool | MoneyAmount | None
"""A value for machines: a number as a number (what is divided to six decimals), money with its currency, an instant as RFC 3339, null where there
is none."""


class Explanation(Struct, rename="camel", gc=False):
    """Why: for a person a sentence in a language, for a machine the values in it by the words that stand in its place, and its key for translators.

    A number is a number, money an exact decimal with its currency, text and instants are as they were sent, null is what there was none of.
    """

    key: str
    values: dict[str, Value]
    text: str
    language: str


class Moment(Output, rename="camel", omit_defaults=True, gc=False):
    """A moment and its verdict; never act after `expiresAt`. Only one that `fired` was released; `reason` says why another was not, of a retraction why
    what it takes back had not been (null: it had, and calls for repair).

    `limit` is what held it back, in words, where a rule set it: `at most 3 within 30 days`.
    `outcomeToken` goes back with what became of one that fired, where no identifier is known (`outcome.token`): opaque, for this moment only.
    The verdict is judged once for an id: what is said again, with other content, carries the verdict that it had. `retracts` names the id that
    no longer holds.
    """

    id: str
    moment: str
    scope: Literal["business_moment", "moment_of_truth", "defining_moment"]
    status: Status
    reason: Reason | None
    expires_at: Timestamp
    significance: float
    rarity: float | None
    explanation: Explanation
    offers: list[str]
    recommended_action: str | None
    recommended_channel: str | None
    limit: str | None = None
    retracts: str | None = None
    outcome_token: str | None = None
