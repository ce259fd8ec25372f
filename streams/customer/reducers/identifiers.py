"""The identifiers a customer was seen with: first and last."""

from streams.customer.state import State
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Note each identifier as type:value."""
    for kind, value in touch.identifiers:
        name = f"{kind}:{value}"
        seen = state.identifiers.get(name)
        state.identifiers[name] = (touch.occurred_at, touch.occurred_at) if seen is None else (seen[0], touch.occurred_at)
