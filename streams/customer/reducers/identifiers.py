"""The identifiers a customer was seen with: first and last."""

from collections.abc import Sequence

from streams.customer.state import Seen, State
from streams.rows import Touch

IDENTIFIERS_MAX = 1_000
"""How many identifiers a state remembers, as many as a component may have to be resolved."""


def reduce(state: State, touches: Sequence[Touch]) -> None:
    """Note each identifier as type:value."""
    identifiers = state.identifiers
    for touch in touches:
        at = touch.occurred_at
        for kind, value in touch.identifiers:
            name = f"{kind}:{value}"
            seen = identifiers.get(name)
            identifiers[name] = (at, at) if seen is None else (seen[0], at)
        if len(identifiers) > IDENTIFIERS_MAX:
            bounded(identifiers)


def bounded(named: dict[str, Seen]) -> dict[str, Seen]:
    """Forget, of more identifiers than are remembered, those seen longest ago; the dict is the caller's own."""
    if len(named) > IDENTIFIERS_MAX:
        for name in sorted(named, key=lambda name: (named[name][1], name))[: len(named) - IDENTIFIERS_MAX]:
            del named[name]
    return named
