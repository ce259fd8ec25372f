"""The identifiers a customer was seen with: first and last."""

from collections.abc import Sequence

from streams.customer.state import State
from streams.rows import Touch


def reduce(state: State, touches: Sequence[Touch]) -> None:
    """Note each identifier as type:value."""
    identifiers = state.identifiers
    for touch in touches:
        at = touch.occurred_at
        for kind, value in touch.identifiers:
            name = f"{kind}:{value}"
            seen = identifiers.get(name)
            identifiers[name] = (at, at) if seen is None else (seen[0], at)
