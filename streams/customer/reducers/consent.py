"""Consent: for each purpose and channel the decisions in force.

The rule this module owns: a decision is taken back only by a later one under an identifier that it was made under; where several stand, as
after a merge, the most restrictive counts.
"""

from streams import instants
from streams.customer.state import ConsentGiven, State
from streams.rows import Touch, payload

EVERY_CHANNEL = "*"
_MARK = b'"consent"'
STATES = ("denied", "granted")
"""From the most restrictive."""


def reduce(state: State, touch: Touch) -> None:
    """Take in each decision that the interaction carries."""
    if _MARK not in touch.payload:
        return
    under = tuple(f"{kind}:{value}" for kind, value in touch.identifiers)
    for said in payload(touch.payload).consent or ():
        purpose, decided, channel, basis = said.get("purpose"), said.get("state"), said.get("channel"), said.get("basis")
        if not isinstance(purpose, str) or decided not in STATES:
            continue
        name = f"{purpose}\n{channel if isinstance(channel, str) else EVERY_CHANNEL}"
        at = said.get("at")
        since = (instants.parse(at) if isinstance(at, str) else None) or touch.occurred_at
        standing = tuple(given for given in state.consent.get(name, ()) if not set(given.under) & set(under))
        state.consent[name] = (*standing, ConsentGiven(decided, basis if isinstance(basis, str) else None, since, under))


def in_force(given: tuple[ConsentGiven, ...]) -> ConsentGiven:
    """The decision that counts: the most restrictive, the latest of those."""
    return min(given, key=lambda one: (STATES.index(one.state), -one.since))
