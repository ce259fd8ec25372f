"""One part of the state a file: `reduce` changes the fold's own copy of it. The rule this module owns: every one is called here, and only where an
interaction carries something for it; what they change no rule looks at, so they may go ahead of the rules."""

from collections.abc import Sequence

from schemas.interaction import EVENTS
from streams.customer.reducers import accounts, cases, consent, contacts, identifiers, locale, totals, traits
from streams.customer.state import State
from streams.rows import Touch

_COUNTED = frozenset([event for event, meaning in EVENTS.items() if meaning in totals.MEANINGS])


def reduce(state: State, touches: Sequence[Touch]) -> None:
    """Show interactions, in order, to each part of the state that they may change; the state is the caller's own copy."""
    identifiers.reduce(state, touches)
    contacts.reduce(state, touches)
    for touch in touches:
        payload = touch.payload
        if payload.partition(traits.MARK)[1]:  # `find` and `in` cost more before they look.
            traits.reduce(state, touch)
        if payload.partition(consent.MARK)[1]:
            consent.reduce(state, touch)
        if touch.language is not None or touch.timezone is not None:
            locale.reduce(state, touch)
        if touch.account is not None:
            accounts.reduce(state, touch)
        if touch.case_id is not None:
            cases.reduce(state, touch)
        if touch.event in _COUNTED:
            totals.reduce(state, touch)
