"""How often and when last through each channel and touchpoint, and when each source was last heard of."""

from streams.customer.state import NAMES_MAX, Seen, State, trim
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Count the contact."""
    at, channels, touchpoints, sources = touch.occurred_at, state.channels, state.touchpoints, state.sources
    if channel := touch.channel:
        if (seen := channels.get(channel)) is not None:
            channels[channel] = (seen[0] + 1, at)
        else:
            channels[channel] = (1, at)
            trim(channels, _last)
    if touchpoint := touch.touchpoint:
        if (seen := touchpoints.get(touchpoint)) is not None:
            touchpoints[touchpoint] = (seen[0] + 1, at)
        else:
            touchpoints[touchpoint] = (1, at)
            trim(touchpoints, _last)
    sources[touch.source] = at
    if len(sources) > NAMES_MAX:
        trim(sources, int)


def _last(seen: Seen) -> int:
    return seen[1]
