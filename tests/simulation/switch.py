"""A change of the policy in the midst of a run: which policies there are to change to, and when each worker does.

The rule this module owns: it draws from its own chance, so the histories of seeds without a change are what they were.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from msgspec import structs

from streams.identity.policy import IdentifierType, Policy

OF_TYPES: Mapping[str, Callable[[IdentifierType], dict[str, Any]]] = {
    "fewer of each": lambda kind: {"limit": 1} if kind.limit else {},
    "no limits": lambda kind: {"limit": None, "window_days": None} if kind.strength != "unique" else {},
    "a week": lambda kind: {"window_days": 7} if kind.limit and kind.strength != "unique" else {},
    "weak phones": lambda kind: {"strength": "weak"} if kind.name == "phone" else {},
    "strong crm_ids": lambda kind: {"strength": "strong"} if kind.name == "crm_id" else {},
    "shared by fewer": lambda kind: {"generic_above": 1},
    "shared by more": lambda kind: {"generic_above": 6},
    "small crowds": lambda kind: {"neighbours_max": min(kind.neighbours_max, 1)},
}
"""What a new policy says of each type, by what it is called."""
OF_ALL: Mapping[str, dict[str, Any]] = {"contested: first": {"contested": "first"}, "small": {"component_members_max": 4}}
SWITCHES = (*OF_TYPES, *OF_ALL)
TELLING = frozenset({"fewer of each", "shared by fewer", "shared by more", "small crowds", "small"})
"""Those that make other people of most histories."""


def changed(policy: Policy, what: str) -> Policy:
    """The policy that comes in place of one; without a name the same."""
    if what in OF_TYPES:
        return structs.replace(policy, types=tuple([structs.replace(kind, **OF_TYPES[what](kind)) for kind in policy.types]))
    return structs.replace(policy, **OF_ALL.get(what, {}))


def drawn(chance: Random, is_narrow: bool) -> str:
    """What changes in a run; mostly nothing. `is_narrow`: crowds are so small that nobody remembers more anchors than another policy would ask for."""
    if chance.random() > 0.3:
        return ""
    known = [what for what in SWITCHES if not (is_narrow and what == "shared by more")]
    return chance.choices(known, [3 if what in TELLING else 1 for what in known])[0]


def places(chance: Random, entries: int, workers: int) -> list[int]:
    """Before which entries the workers begin anew, one after the other; mostly none: they do when all has come to rest."""
    if chance.random() < 0.6:
        return []
    first = chance.randint(entries // 4, entries)
    return [min(entries, first + number * chance.choice([0, 1, 8])) for number in range(workers)]
