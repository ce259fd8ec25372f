"""One part of the state a file: `reduce(state, touch)` changes the fold's own copy of it. The rule this module owns: every one is called here, and
only where the interaction carries something for it."""

from schemas.interaction import EVENTS
from streams.customer.reducers import accounts, cases, consent, contacts, identifiers, locale, totals, traits
from streams.customer.state import State
from streams.rows import Touch

_COUNTED = frozenset([event for event, meaning in EVENTS.items() if meaning in totals.MEANINGS])


def reduce(state: State, touch: Touch) -> None:
    """Show an interaction to each part of the state that it may change; the state is the caller's own copy."""
    identifiers.reduce(state, touch)
    contacts.reduce(state, touch)
    if touch.payload.find(traits.MARK) >= 0:  # `in` would try the mark as a number first, at ten times the cost.
        traits.reduce(state, touch)
    if touch.payload.find(consent.MARK) >= 0:
        consent.reduce(state, touch)
    if touch.language is not None or touch.timezone is not None:
        locale.reduce(state, touch)
    if touch.account is not None:
        accounts.reduce(state, touch)
    if touch.case_id is not None:
        cases.reduce(state, touch)
    if touch.event in _COUNTED:
        totals.reduce(state, touch)
