"""How often and when last through each channel and touchpoint, and when each source was last heard of."""

from streams.customer.state import Seen, State, trim
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Count the contact."""
    at = touch.occurred_at
    if channel := touch.channel:
        _count(state.channels, channel, at)
    if touchpoint := touch.touchpoint:
        _count(state.touchpoints, touchpoint, at)
    sources = state.sources
    if touch.source in sources:
        sources[touch.source] = at
    else:
        sources[touch.source] = at
        trim(sources, int)


def _count(contacts: dict[str, Seen], name: str, at: int) -> None:
    seen = contacts.get(name)
    if seen is not None:
        contacts[name] = (seen[0] + 1, at)
        return
    contacts[name] = (1, at)
    trim(contacts, _last)


def _last(seen: Seen) -> int:
    return seen[1]
