"""What a version of a profile changed: the paths at which it says other than the one before.

The rule this module owns: they are what differs of what a profile shows. Of identifiers and cases paths hold no values: after an erasure none may.
"""

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from schemas.profile import Reach
from streams.customer.customers import Customer
from streams.customer.reducers import consent
from streams.customer.state import Case, ConsentGiven, FoldRow, State
from streams.language import Rulebook

EMOTION, IRRITATION = "emotion", "irritation"
"""The names of the two balances that a profile shows, where the journeys declare them."""

FIRST = ("known", "completeness", EMOTION, IRRITATION)

_NOBODY = State()


class Means(NamedTuple):
    """By what a customer was known and reached, as its profile showed it: identifiers by type, channels, how complete it was."""

    identifiers: dict[str, list[str]]
    reach: dict[str, Reach]
    completeness: float


def of_state(customer: Customer) -> list[str]:
    """The paths of the profile that this version changed, by part, sorted; all that it has where it is the first."""
    after = customer.after.state
    before = _NOBODY if customer.before is None else customer.before.state
    changed: list[str] = []
    if before is after:
        return changed
    for now, then, (path, shown, differing) in zip(_parts(after), _parts(before), _SHOWN, strict=True):
        if now is then or now == then:
            continue
        names: Collection[str] = now if not then and differing is _differing else differing(now, then)
        if names:
            if shown is not None:
                names = shown(names)
            if len(names) > 1:
                for name in sorted(names):
                    changed.append(path + name)
            else:
                [name] = names
                changed.append(path + name)
    if after.language != before.language:
        changed.append("language")
    if after.timezone != before.timezone:
        changed.append("timezone")
    return changed


def of_balances(before: FoldRow, after: FoldRow, rulebook: Rulebook) -> list[str]:
    """The accounts that decay to which something was added, or of which new rules know other than the old."""
    then, now = before.state.memory, after.state.memory
    if now is then:
        return []
    held = [(name, rulebook.balances[name][0]) for name in (EMOTION, IRRITATION) if name in rulebook.balances]
    return [name for name, slot in held if now[slot] != (then if before.rulebook == after.rulebook else rulebook.initial)[slot]]


def has_other_means(before: FoldRow, customer: Customer) -> bool:
    """Whether the customer may be known by other identifiers than before, or reached in other ways."""
    then, now = before.state, customer.after.state
    return customer.regrouped or now.consent is not then.consent or now.identifiers.keys() != then.identifiers.keys()


def of_means(now: Means, then: Means) -> list[str]:
    """The paths that changed with a customer's identifiers and consent; whether it is known goes with its id, and does not change."""
    changed = ["identifiers." + name for name in sorted(_differing(now.identifiers, then.identifiers))]
    if now.reach is not then.reach:
        changed += ["reach." + name for name in sorted(_differing(now.reach, then.reach))]
    return changed if now.completeness == then.completeness else [*changed, "completeness"]


@lru_cache(maxsize=4096)
def of_first(kinds: tuple[str, ...], channels: tuple[str, ...], *said: bool) -> tuple[str, ...]:
    """Of a first profile, with identifiers of these types, all that is no part of the state; `said`: whether it says anything of FIRST."""
    paths = ["identifiers." + kind for kind in sorted(kinds)] + ["reach." + channel for channel in sorted(channels)]
    return (*paths, *[name for name, is_said in zip(FIRST, said, strict=True) if is_said])


def _purposes(consents: Iterable[str]) -> set[str]:
    return {consent.rpartition("\n")[0] for consent in consents}


def _nameless(names: Iterable[str]) -> set[str]:
    return {""}


def _differing(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """The names under which two parts of a state hold something else."""
    names = []
    for name, value in now.items():
        held = then.get(name)
        if held is not value and held != value:
            names.append(name)
    if len(then) > len(now) - len(names):
        names += [name for name in then if name not in now]
    return names


def _named(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """Of what a profile shows the name only."""
    return list(now.keys() ^ then.keys())


def _open(now: dict[str, Case], then: dict[str, Case]) -> list[str]:
    """Of cases a profile shows those that are open."""
    return _differing(*({name: case for name, case in part.items() if case.solved_at is None} for part in (now, then)))


def _in_force(now: dict[str, tuple[ConsentGiven, ...]], then: dict[str, tuple[ConsentGiven, ...]]) -> list[str]:
    """Of decisions a profile shows those in force, and not under which identifiers they were made."""
    shown = [{name: _decided(given) for name, given in part.items()} for part in (now, then)]
    return _differing(*shown)


def _decided(given: tuple[ConsentGiven, ...]) -> tuple[str, str | None, int]:
    counts = consent.in_force(given)
    return counts.state, counts.basis, counts.since


_PATHS: tuple[tuple[str, str, Callable[[Iterable[str]], set[str]] | None, Callable[[Any, Any], list[str]]], ...] = (
    ("traits", "traits.", None, _differing),
    ("consent", "consent.", _purposes, _in_force),
    ("journeys", "journeys.", None, _differing),
    ("segments", "segments.", None, _named),
    ("moments", "moments.", None, _differing),
    ("channels", "channels.", None, _differing),
    ("cases", "openCases", _nameless, _open),  # A case's id is an identifier: after its erasure no path may hold it.
    ("accounts", "accounts.", None, _named),
    ("totals", "totals.", None, _differing),
    ("sources", "freshness.", None, _differing),
)
"""Parts of the state that are kept by name, where the profile shows them, what of their names its paths show (None: all), and which of them differ."""
_parts: Callable[[State], tuple[dict[str, Any], ...]] = attrgetter(*[field for field, *_ in _PATHS])
_SHOWN = tuple((path, shown, differing) for _, path, shown, differing in _PATHS)
