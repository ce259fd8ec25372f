"""What an author declares: journeys, moments and segments. The rule this module owns: data only; nothing here runs before the rulebook compiles it."""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from schemas.moment import Reason
from streams.instants import span
from streams.language.compile import Builder, Facts, Holds
from streams.language.expressions import Condition, Expression, Might, Place, Tree, place
from streams.language.numbers import Number
from streams.language.operators.windows import Count

START = "(start)"
"""Where a customer stands in a journey before its first stage."""

Scope = Literal["business_moment", "moment_of_truth", "defining_moment"]
BUSINESS_MOMENT: Scope = "business_moment"
"""An opening in a life, a career, a company or an industry."""
MOMENT_OF_TRUTH: Scope = "moment_of_truth"
"""The contact in which it is won or lost; it expires with it."""
DEFINING_MOMENT: Scope = "defining_moment"
"""The rare, significant head of a long tail of business moments."""

Transition = tuple["str | tuple[str, ...]", str, Condition]
"""From one stage or any of some, to a stage, when."""


class Declaration:
    """What any rule has: a name, and where it was written."""

    kind = ""

    def __init__(self, name: str, owner: str) -> None:
        self.name, self.owner = name, owner
        self.place: Place = place()
        self.names = _names()

    def tree(self) -> Tree:
        """What the rule means, as plain data: its hash is the rule's version."""
        raise NotImplementedError

    def parts(self) -> Sequence[Expression]:
        """The expressions it consists of."""
        raise NotImplementedError


def _names() -> Mapping[str, Any]:
    """The names of the author's file, which sentences may use."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("streams.language"):
        frame = frame.f_back
    return frame.f_globals


class Journey(Declaration):
    """Stages, and what leads from one to the next. Of those that hold, the first written counts; one interaction or deadline moves a customer once."""

    kind = "journey"

    def __init__(self, name: str, transitions: Sequence[Transition], owner: str = "") -> None:
        super().__init__(name, owner)
        self.transitions = tuple(((origin,) if isinstance(origin, str) else tuple(origin), to, when) for origin, to, when in transitions)

    def stages(self) -> set[str]:
        """Every stage that can be entered."""
        return {to for _, to, _ in self.transitions}

    def tree(self) -> Tree:
        return ["journey", self.name, self.owner, [[list(origins), to, when.tree()] for origins, to, when in self.transitions]]

    def parts(self) -> Sequence[Expression]:
        return [when for _, _, when in self.transitions]


class Cap(NamedTuple):
    """At most so many of a moment are released to a customer within a time (microseconds)."""

    number: int
    within: int

    def words(self) -> str:
        """As a person says it."""
        return f"at most {self.number} within {span(self.within)}"


CAP_MAX = 100
"""So many releases a customer's row may have to remember of one moment."""


class Moment(Declaration):
    """A chance to win or lose a customer: when it comes, how much it weighs, why, in a sentence, and until when it is worth acting on.

    `because` names expressions of its file in braces, and `{significance}`. `once_per` is the least time between two that are released
    (microseconds), `cap` the most that are released within a time; one that comes sooner, or beyond, is published as suppressed.
    `evidence` is a count within a window: the interactions that it counts are shown beside those that set the moment off.
    """

    kind = "moment"

    def __init__(
        self,
        name: str,
        scope: Scope,
        when: Condition,
        because: str,
        expires: int,
        significance: "Number | int | Decimal" = 1,
        once_per: int | None = None,
        cap: Cap | None = None,
        evidence: Count | None = None,
        owner: str = "",
        offers: Sequence[str] = (),
        action: str | None = None,
        channel: str | None = None,
    ) -> None:
        super().__init__(name, owner)
        self.scope: Scope = scope
        self.when, self.because, self.expires, self.significance, self.once_per = when, because, expires, significance, once_per
        self.cap, self.evidence = cap, evidence
        self.offers, self.action, self.channel = tuple(offers), action, channel

    def tree(self) -> Tree:
        weight = self.significance.tree() if isinstance(self.significance, Number) else ["number", str(self.significance)]
        shown = None if self.evidence is None else self.evidence.tree()
        cap = None if self.cap is None else list(self.cap)
        rest = [self.because, self.expires, self.once_per, cap, shown, list(self.offers), self.action, self.channel]
        return ["moment", self.name, self.owner, self.scope, self.when.tree(), weight, *rest]

    def limits(self) -> dict[Reason, str]:
        """What may hold it back, in words, by the reason that its verdict then names."""
        words: dict[Reason, str] = {}
        if self.once_per is not None:
            words["cool_down"] = f"not within {span(self.once_per)} of the last"
        if self.cap is not None:
            words["cap"] = self.cap.words()
        return words

    def parts(self) -> Sequence[Expression]:
        return [self.when, *(part for part in (self.significance, self.evidence) if isinstance(part, Number))]


class Segment(Declaration):
    """A group that a customer is in as long as a level holds; for what purpose it exists, and why a customer is in it, in a sentence.

    `left` is the sentence that is said of one who is in it no more; where there is none, the other with "No longer: " before it.
    """

    kind = "segment"

    def __init__(self, name: str, purpose: str, when: Condition, reason: str, owner: str = "", left: str | None = None) -> None:
        super().__init__(name, owner)
        self.purpose, self.when, self.reason = purpose, when, reason
        self.left = f"No longer: {reason}" if left is None else left

    def tree(self) -> Tree:
        return ["segment", self.name, self.owner, self.purpose, self.when.tree(), self.reason, self.left]

    def parts(self) -> Sequence[Expression]:
        return [self.when]


class StageIs(Condition):
    """Whether the customer stands in one of some stages of a journey."""

    def __init__(self, journey: str, stages: tuple[str, ...]) -> None:
        super().__init__()
        self.journey, self.stages = journey, stages

    def tree(self) -> Tree:
        return ["stage", self.journey, *sorted(self.stages)]

    def words(self) -> str:
        return f"in stage {' or '.join(self.stages)} of {self.journey}"

    def compile(self, builder: Builder) -> Holds:
        journey, stages = self.journey, frozenset(self.stages)
        builder.watched.add(journey)

        def holds(facts: Facts) -> bool:
            position = facts.journeys.get(journey)
            return (START if position is None else position.stage) in stages

        return holds


class Becomes(Condition):
    """The interaction or deadline by which the customer enters a stage of a journey."""

    occurs = True

    def __init__(self, journey: str, stage: str) -> None:
        super().__init__()
        self.journey, self.stages = journey, (stage,)

    def tree(self) -> Tree:
        return ["becomes", self.journey, self.stages[0]]

    def words(self) -> str:
        return f"enters stage {self.stages[0]} of {self.journey}"

    def might(self, name: str) -> Might:
        return True, True

    def compile(self, builder: Builder) -> Holds:
        journey, stage = self.journey, self.stages[0]
        builder.watched.add(journey)
        return lambda facts: facts.entered.get(journey) == stage


class Stage:
    """A journey's stage, to ask about."""

    def __init__(self, journey: str) -> None:
        self.journey = journey

    def is_(self, stage: str) -> Condition:
        """Whether the customer stands there."""
        return StageIs(self.journey, (stage,))

    def one_of(self, *stages: str) -> Condition:
        """Whether the customer stands in one of them."""
        return StageIs(self.journey, stages)

    def becomes(self, stage: str) -> Condition:
        """The instant at which the customer enters it."""
        return Becomes(self.journey, stage)


class InSegment(Condition):
    """Whether the customer is in a segment."""

    def __init__(self, segment: str) -> None:
        super().__init__()
        self.segment = segment

    def tree(self) -> Tree:
        return ["segment", self.segment]

    def words(self) -> str:
        return f"in segment {self.segment}"

    def compile(self, builder: Builder) -> Holds:
        segment = self.segment
        return lambda facts: segment in facts.segments
