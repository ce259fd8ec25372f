"""Consent: for each purpose and channel the decisions in force.

The rule this module owns: a decision is taken back only by a later one under an identifier that it was made under; where several stand, as
after a merge, the most restrictive counts.
"""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b

from streams import instants
from streams.customer.state import NAMES_MAX, ConsentGiven, State
from streams.rows import Touch, payload

EVERY_CHANNEL = "*"
MARK = b'"consent"'
"""Without it a payload has no consent."""
STATES = ("denied", "granted")
"""From the most restrictive."""
STANDING_MAX = 16
"""So many decisions about one purpose and channel stand beside each other, under identifiers that were never seen together; of more, the one granted
longest ago is forgotten, a denial last."""
DECISIONS_MAX = 2 * NAMES_MAX
"""So many stand about all purposes and channels together; of more, likewise."""
MARK_BYTES = 8


def marked(identifiers: Iterable[str]) -> tuple[bytes, ...]:
    """What a decision remembers of identifiers (type:value) instead of repeating them, which may be as many and as long as an interaction carries."""
    return tuple([blake2b(name.encode(), digest_size=MARK_BYTES).digest() for name in identifiers])


def reduce(state: State, touch: Touch) -> None:
    """Take in each decision that the interaction carries."""
    under = marked([f"{kind}:{value}" for kind, value in touch.identifiers])
    state.consent = decisions = state.consent.copy()
    for said in payload(touch.payload).consent or ():
        purpose, decided, channel, basis = said.get("purpose"), said.get("state"), said.get("channel"), said.get("basis")
        if not isinstance(purpose, str) or decided not in STATES:
            continue
        name = f"{purpose}\n{_channel(channel)}"
        given = ConsentGiven(decided, basis if isinstance(basis, str) else None, _since(said.get("at"), touch), under)
        decisions[name] = _with(decisions.get(name, ()), given)
    bounded(decisions)


def _channel(said: object) -> str:
    return said.replace("\n", " ") if isinstance(said, str) else EVERY_CHANNEL


def _since(at: object, touch: Touch) -> int:
    """When it was given: as said, where that can be read, but not after the interaction that says so, or nothing later could take it back."""
    if isinstance(at, Decimal):
        at = float(at)
    if isinstance(at, bool) or not isinstance(at, str | int | float):
        return touch.occurred_at
    said = instants.read(at)
    return touch.occurred_at if said is None else min(said, touch.occurred_at)


def _with(standing: tuple[ConsentGiven, ...], given: ConsentGiven) -> tuple[ConsentGiven, ...]:
    """The decisions that stand: of those that share an identifier the one given last; of two at one instant the more restrictive."""
    under = set(given.under)
    about = [other for other in standing if not under.isdisjoint(other.under)]
    if any((other.since, -STATES.index(other.state)) > (given.since, -STATES.index(given.state)) for other in about):
        return standing
    stands = [*(other for other in standing if other not in about), given]
    if len(stands) > STANDING_MAX:
        stands.remove(min(stands, key=lambda one: (one.state == "denied", one.since, one.under)))
    return tuple(stands)


def joined(one: tuple[ConsentGiven, ...], other: tuple[ConsentGiven, ...]) -> tuple[ConsentGiven, ...]:
    """The decisions that stand of two who are one, in the order in which they were given."""
    standing: tuple[ConsentGiven, ...] = ()
    for given in sorted((*one, *other), key=lambda given: (given.since, -STATES.index(given.state), given.under)):
        standing = _with(standing, given)
    return standing


def bounded(decisions: dict[str, tuple[ConsentGiven, ...]]) -> dict[str, tuple[ConsentGiven, ...]]:
    """Forget, of more purposes and channels than a state remembers, those granted longest ago, and denied ones last, then, of more decisions, single
    ones; the dict is the caller's own."""
    if len(decisions) > NAMES_MAX:
        counts = {name: in_force(given) for name, given in decisions.items()}
        by_rank = sorted(decisions, key=lambda name: (counts[name].state == "denied", counts[name].since, name))
        for name in by_rank[: len(decisions) - NAMES_MAX]:
            del decisions[name]
    surplus = sum(map(len, decisions.values())) - DECISIONS_MAX
    if surplus > 0:
        standing = [(one, name) for name, given in decisions.items() if len(given) > 1 for one in given if one is not in_force(given)]
        for one, name in sorted(standing, key=lambda each: (each[0].state == "denied", each[0].since, each[1], each[0].under))[:surplus]:
            decisions[name] = tuple([other for other in decisions[name] if other is not one])
    return decisions


def in_force(given: tuple[ConsentGiven, ...]) -> ConsentGiven:
    """The decision that counts: the most restrictive, the latest of those."""
    return min(given, key=lambda one: (STATES.index(one.state), -one.since))
