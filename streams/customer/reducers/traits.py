"""The golden record: of each trait the value that survives.

The rule this module owns: a field's survivorship says which. `trusted` (where nothing else is said): the better party wins, the latest among
equals. `latest`: the latest, whoever said it. `first`: the earliest.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from schemas import money
from schemas.interaction import NAME_CHARACTERS_MAX
from streams.customer.state import State, Trait, trim
from streams.rows import Touch, payload

PARTIES = {"first": 0, "second": 1, "third": 2}
"""Whose data is believed before whose."""


def _trusted(held: Trait, said: Trait) -> bool:
    return PARTIES.get(said.party, 2) <= PARTIES.get(held.party, 2)


SURVIVORSHIP: dict[str, Callable[[Trait, Trait], bool]] = {
    "trusted": _trusted,
    "latest": lambda held, said: True,
    "first": lambda held, said: False,
}
POLICY = {
    "country": "latest",
    "city": "latest",
    "createdAt": "first",
    "created_at": "first",
    "firstSeen": "first",
}
"""The fields with a survivorship of their own."""

TEXT_MAX = 1024
"""A longer text, or one of a longer name than NAME_CHARACTERS_MAX, is no trait; it stays in the timeline."""
MARK = b'"traits"'
"""Without it a payload has no traits."""


def reduce(state: State, touch: Touch) -> None:
    """Let each trait of the interaction survive or not; null takes a value back. A group's traits are not the person's."""
    if touch.type == "group":
        return
    sent = payload(touch.payload)
    context = (sent.context or {}).get("traits")
    state.traits = traits = state.traits.copy()
    for source in (context if isinstance(context, dict) else None, sent.traits):
        for name, value in _flat(source or {}, ""):
            said = Trait(value, touch.source, touch.party, touch.occurred_at)
            held = traits.get(name)
            if held is None or SURVIVORSHIP[POLICY.get(name, "trusted")](held, said):
                traits[name] = said
                if held is None:
                    trim(traits, lambda trait: trait.occurred_at)


def survivor(name: str, one: Trait, other: Trait) -> Trait:
    """Of two that survived apart the one that survives both, whichever is named first."""
    held, said = sorted((one, other), key=lambda trait: (trait.occurred_at, trait.source, str(trait.value)))
    return said if SURVIVORSHIP[POLICY.get(name, "trusted")](held, said) else held


def _flat(traits: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str | int | bool | None]]:
    """Traits by their dotted names; a number with a point as its exact text, a list as its texts."""
    for name, value in traits.items():
        if len(prefix) + len(name) > NAME_CHARACTERS_MAX:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            if len(value) <= TEXT_MAX:
                yield prefix + name, value
        elif isinstance(value, Decimal):
            yield prefix + name, money.text(value) if money.parse(value) is not None else str(value)
        elif isinstance(value, list):
            yield prefix + name, ", ".join(str(each) for each in value if isinstance(each, str | int | Decimal))[:TEXT_MAX]
        elif value is None or isinstance(value, str | bool) or -(2**63) <= value < 2**64:
            yield prefix + name, value
        else:
            yield prefix + name, str(value)
