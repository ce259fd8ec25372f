"""How often and when last through each channel and touchpoint, and when each source was last heard of."""

from collections.abc import Sequence

from streams.customer.state import NAMES_MAX, Seen, State, trim
from streams.rows import Touch


def reduce(state: State, touches: Sequence[Touch]) -> None:
    """Count the contacts."""
    channels, touchpoints, sources = state.channels, state.touchpoints, state.sources
    for touch in touches:
        at, channel, touchpoint = touch.occurred_at, touch.channel, touch.touchpoint
        if channel:
            seen = channels.get(channel)
            channels[channel] = (1, at) if seen is None else (seen[0] + 1, at)
            if len(channels) > NAMES_MAX:
                trim(channels, _last)
        if touchpoint:
            seen = touchpoints.get(touchpoint)
            touchpoints[touchpoint] = (1, at) if seen is None else (seen[0] + 1, at)
            if len(touchpoints) > NAMES_MAX:
                trim(touchpoints, _last)
        sources[touch.source] = at
        if len(sources) > NAMES_MAX:
            trim(sources, int)


def _last(seen: Seen) -> int:
    return seen[1]
