"""How often and when last through each channel and touchpoint, and when each source was last heard of."""

from streams.customer.state import Seen, State, trim
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Count the contact."""
    at = touch.occurred_at
    if channel := touch.channel:
        seen = state.channels.get(channel)
        state.channels[channel] = (1 if seen is None else seen[0] + 1, at)
        trim(state.channels, _last)
    if touchpoint := touch.touchpoint:
        seen = state.touchpoints.get(touchpoint)
        state.touchpoints[touchpoint] = (1 if seen is None else seen[0] + 1, at)
        trim(state.touchpoints, _last)
    state.sources[touch.source] = at
    trim(state.sources, int)


def _last(seen: Seen) -> int:
    return seen[1]
