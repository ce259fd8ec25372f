"""One part of the state a file: `reduce(state, touch)` changes the fold's own copy of it. The rule this module owns: every one is in REDUCERS."""

from collections.abc import Callable

from schemas.interaction import EVENTS
from streams.customer.reducers import accounts, cases, consent, contacts, identifiers, locale, totals, traits
from streams.customer.state import State
from streams.rows import Touch

Reduce = Callable[[State, Touch], None]

REDUCERS: dict[str, tuple[Reduce, frozenset[str] | None]] = {
    "identifiers": (identifiers.reduce, None),
    "contacts": (contacts.reduce, None),
    "traits": (traits.reduce, None),
    "consent": (consent.reduce, None),
    "locale": (locale.reduce, None),
    "accounts": (accounts.reduce, None),
    "cases": (cases.reduce, None),
    "totals": (totals.reduce, frozenset(totals.MEANINGS)),
}
"""What each part of the state is called, how it is reduced, and for which meanings of an event (None: for every interaction)."""


def _for(meaning: str | None) -> tuple[Reduce, ...]:
    return tuple(reduce for reduce, meanings in REDUCERS.values() if meanings is None or meaning in meanings)


_ANY = _for(None)
_BY_EVENT = {event: _for(meaning) for event, meaning in EVENTS.items()}


def of(event: str) -> tuple[Reduce, ...]:
    """The reducers that an interaction with this event's name has to be shown to."""
    return _BY_EVENT.get(event, _ANY)
