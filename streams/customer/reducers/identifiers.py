"""The identifiers a customer was seen with: first and last."""

from streams.customer.state import State
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Note each identifier as type:value."""
    identifiers, at = state.identifiers, touch.occurred_at
    for kind, value in touch.identifiers:
        name = f"{kind}:{value}"
        seen = identifiers.get(name)
        identifiers[name] = (at, at) if seen is None else (seen[0], at)
