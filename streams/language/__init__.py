"""How a rule is said: all that an author imports. It knows no customer."""

from streams.instants import DAY, HOUR, MINUTE
from streams.language.check import Mistake, RulesRefused
from streams.language.compile import Facts
from streams.language.declare import (
    BUSINESS_MOMENT,
    DEFINING_MOMENT,
    MOMENT_OF_TRUTH,
    START,
    Cap,
    InSegment,
    Journey,
    Moment,
    Segment,
    Stage,
)
from streams.language.events import AnyInteraction, Event, Field
from streams.language.expressions import Condition
from streams.language.numbers import Number
from streams.language.operators.absence import Silence
from streams.language.operators.crossings import Balance, Rises
from streams.language.operators.sequences import After
from streams.language.operators.windows import Count, Mean, RisesTo, Sum
from streams.language.rulebook import Rulebook, rulebook

__all__ = [
    "BUSINESS_MOMENT",
    "DEFINING_MOMENT",
    "MOMENT_OF_TRUTH",
    "START",
    "Balance",
    "Cap",
    "Condition",
    "Event",
    "Facts",
    "Field",
    "Journey",
    "Mistake",
    "Moment",
    "Number",
    "Rulebook",
    "RulesRefused",
    "Segment",
    "absent",
    "after",
    "after_each",
    "anything",
    "at_most",
    "count",
    "days",
    "event",
    "hours",
    "mean",
    "minutes",
    "rises",
    "rises_to",
    "rulebook",
    "segment",
    "silence",
    "stage",
    "sum_",
]


def event(name: str) -> Event:
    """Interactions with this event's name."""
    return Event(name)


anything = AnyInteraction()
"""Any interaction."""


def count(interactions: Condition, within: int | None = None) -> Count:
    """How many there were, over all time or within a duration; with `.before` without the present one."""
    return Count(interactions, within)


def sum_(field: Number, within: int | None = None) -> Sum:
    """The sum of a field, over all time or within a duration."""
    return Sum(_field(field), within)


def mean(field: Number, within: int | None = None) -> Mean:
    """The mean of a field, over all time or within a duration; none where there was none."""
    return Mean(_field(field), within)


def _field(field: Number) -> Field:
    if not isinstance(field, Field):
        raise TypeError("a sum or a mean is of a field, as in sum_(order.revenue)")
    return field


def silence(interactions: Condition, duration: int) -> Condition:
    """The instant at which the last such interaction is this long ago."""
    return Silence(interactions, duration)


def absent(expected: Condition, after: Condition, within: int) -> Condition:
    """The instant at which the newest `after` is this long ago and no `expected` has followed it."""
    return Silence(after, within, unless=expected)


def after(interactions: Condition, first: Condition, within: int) -> Condition:
    """An interaction that comes within a duration after the newest `first`."""
    return After(interactions, first, within, each=False)


def after_each(interactions: Condition, first: Condition, within: int) -> Condition:
    """An interaction that comes within a duration after `first`: once for each `first`."""
    return After(interactions, first, within, each=True)


def rises_to(counted: Count, number: int) -> Condition:
    """An interaction by which a count rises from below a number to it."""
    return RisesTo(counted, number)


def rises(level: Condition) -> Condition:
    """The instant at which a level comes to hold, by an interaction or by time alone."""
    return Rises(level)


def at_most(number: int, within: int) -> Cap:
    """So many of a moment, and no more, within a duration: `cap=at_most(3, within=days(30))`."""
    return Cap(number, within)


def stage(journey: str) -> Stage:
    """A journey's stage, to ask about: `stage("retail").is_("loyal")`."""
    return Stage(journey)


def segment(name: str) -> Condition:
    """Whether the customer is in a segment."""
    return InSegment(name)


def days(number: int) -> int:
    """A duration of so many times 24 hours."""
    return number * DAY


def hours(number: int) -> int:
    """A duration of so many hours."""
    return number * HOUR


def minutes(number: int) -> int:
    """A duration of so many minutes."""
    return number * MINUTE
