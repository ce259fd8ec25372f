"""What `kairos identity evaluate` does: a simulation's interactions through intake and identity, and who was found, compared with who it was.

The rule this module owns: an interaction counts as intake took it; who it was, and what it carried, is read off the simulation's own files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from connectors.jsonl.source import READER
from connectors.runtime.sources import Ready, mapped
from connectors.simulator import truth
from streams.cli.trial import BATCH_RECORDS, Trial
from streams.identity.component import Component, identifiers
from streams.identity.evaluate import Kind, Quality, Score, Seen, evaluate
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.policy import IdentifierType, Policy
from streams.identity.resolve import resolve
from streams.rows import NodeKey

PRECISION_AIM, RECALL_AIM = 0.999, 0.99
WIDEST = 10


class Shared(NamedTuple):
    """An identifier that several people used: its type and the case or none, how many used it, and what became of it."""

    type: str
    case: str
    people: int
    became: str


class Found(NamedTuple):
    """The quality, what bounds it, and what the policy refused."""

    quality: Quality
    people: int
    customers: int
    largest_component: int
    largest_customer: int
    generic: int
    generic_that_link: int
    refused: dict[str, int]
    widest: list[Shared]


class _Numbered:
    """Identifiers as numbers: `named` is how each reads, `case` the hard case that has touched it."""

    def __init__(self) -> None:
        self.number: dict[tuple[str, str], int] = {}
        self.users: dict[int, set[int]] = defaultdict(set)
        self.case: dict[int, str] = {}

    def take(self, carried: Sequence[tuple[str, str]], person: int, case: str | None) -> tuple[int, ...]:
        """The numbers of what one interaction of a person carried."""
        numbers = tuple(dict.fromkeys(self.number.setdefault(one, len(self.number)) for one in carried))
        for number in numbers:
            self.users[number].add(person)
            if case is not None:
                self.case[number] = case
        return numbers


def lines(directory: Path) -> int | None:
    """How many lines a simulation says that it wrote; None where it does not."""
    counts = directory / "simulated.json"
    try:
        said: dict[str, Any] = orjson.loads(counts.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return said.get("lines")


def assess(directory: Path, policy: Policy, on_progress: Callable[[int], None]) -> Found:
    """Run a simulation's interactions and compare; `on_progress` hears how many lines more were read. Raises NotTheTruth."""
    told_path, truth_path = truth.paths(directory)
    known = truth.read(truth_path)
    numbered = _Numbered()
    taken: dict[str, tuple[int, NodeKey, tuple[int, ...], str | None]] = {}
    with Trial(policy) as trial:
        lines = (one.value for one in mapped(READER, told_path) if isinstance(one, Ready))
        while values := list(islice(lines, BATCH_RECORDS)):
            for value, anchor in zip(values, trial.take(values), strict=True):
                if anchor is None:
                    continue
                message, carried = truth.carried(value)
                if message not in taken:
                    if message not in known.sender:
                        raise truth.NotTheTruth(f"{truth_path} does not say who sent {message} of {told_path}: are both of one simulation?")
                    person, case = known.sender[message], known.touched.get(message)
                    taken[message] = (person, anchor, numbered.take(carried, person, case), case)
            on_progress(len(values))
        if not taken:
            raise truth.NotTheTruth(f"{told_path} holds no interaction, so there is nothing to judge.")
        settled = _Settled(policy)
        for component in trial.components():
            settled.add(component)
        refused = dict(sorted(trial.conflicts.items()))
    seen = [Seen(person, settled.customer[anchor], carried, case) for person, anchor, carried, case in taken.values()]
    kinds = {kind.name: _kind(kind) for kind in policy.types}
    quality = evaluate(
        seen,
        {number: kinds.get(kind, _UNKNOWN) for (kind, _), number in numbered.number.items()},
        {place: one.household for place, one in enumerate(known.people) if one.household is not None},
        {place: one.case for place, one in enumerate(known.people) if one.case is not None},
    )
    return Found(
        quality,
        len({one.person for one in seen}),
        len({one.found for one in seen}),
        settled.largest_component,
        settled.largest_customer,
        len(settled.generic),
        settled.linking,
        refused,
        _widest(numbered, settled, policy),
    )


def customers(directory: Path, policy: Policy, on_progress: Callable[[int], None]) -> dict[str, str]:
    """Whose each interaction of a simulation is found to be, by its message id."""
    told_path, _ = truth.paths(directory)
    anchors: dict[str, NodeKey] = {}
    settled = _Settled(policy)
    with Trial(policy) as trial:
        lines = (one.value for one in mapped(READER, told_path) if isinstance(one, Ready))
        while values := list(islice(lines, BATCH_RECORDS)):
            for value, anchor in zip(values, trial.take(values), strict=True):
                if anchor is not None:
                    anchors.setdefault(truth.carried(value)[0], anchor)
            on_progress(len(values))
        for component in trial.components():
            settled.add(component)
    return {message: customer_id(settled.customer[anchor]) for message, anchor in anchors.items()}


_UNKNOWN = Kind(weak=True, lasting=False, login=None)
"""An identifier of a type that the policy does not know tells nothing of who it was."""


def _kind(kind: IdentifierType) -> Kind:
    is_login = kind.strength == "unique" and kind.limit == 1
    return Kind(kind.strength == "weak", kind.expires_hours is None, kind.name if is_login else None)


class _Settled:
    """Who holds what at the end: the customer of each fragment, and the bounds."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.customer: dict[NodeKey, NodeKey] = {}
        self.size: dict[NodeKey, int] = {}
        self.generic: set[NodeKey] = set()
        self.linking = 0
        self.largest_component = 0
        self.largest_customer = 0

    def add(self, component: Component) -> None:
        """Take in the people of one component."""
        self.generic |= component.generic
        self.largest_component = max(self.largest_component, len(identifiers(component)))
        for person in resolve(component, self._policy).people:
            self.linking += len(person.members) > 1 and not component.generic.isdisjoint(person.members)
            self.largest_customer = max(self.largest_customer, len(person.members))
            self.size.update(dict.fromkeys(person.members, len(person.members)))
            self.customer.update(dict.fromkeys(person.fragments, person.canonical))


def _widest(numbered: _Numbered, settled: _Settled, policy: Policy) -> list[Shared]:
    """The identifiers that most people used."""
    normalise = normaliser(policy).normalise
    found = []
    widest = sorted(numbered.number.items(), key=lambda one: (-len(numbered.users[one[1]]), one))[:WIDEST]
    for (kind, value), number in widest:
        read = normalise(kind, value)
        if not isinstance(read, Identifier):
            became = "blocked"
        elif read.key in settled.generic:
            became = "generic: links nobody"
        else:
            became = f"links {settled.size.get(read.key, 1) - 1} identifiers"
        if len(numbered.users[number]) > 1:
            found.append(Shared(kind, numbered.case.get(number, "none"), len(numbered.users[number]), became))
    return found


def plain(found: Found) -> dict[str, Any]:
    """All of it as JSON has it."""
    quality = found.quality
    return {
        "interactions": quality.interactions,
        "told": quality.told,
        "people": found.people,
        "customers": found.customers,
        "all": {"pairs": _plain(quality.pairs), "clusters": _plain(quality.clusters)},
        "tellable": {"pairs": _plain(quality.told_pairs), "clusters": _plain(quality.told_clusters)},
        "causes": {cause: errors._asdict() for cause, errors in quality.causes.items()},
        "cannotBeTold": {"pairs": found.quality.alike.false_pairs, "customers": found.quality.alike.customers},
        "largestComponent": found.largest_component,
        "largestCustomer": found.largest_customer,
        "generic": found.generic,
        "genericThatLink": found.generic_that_link,
        "refused": found.refused,
        "widest": [one._asdict() for one in found.widest],
        "aims": {"precision": PRECISION_AIM, "recall": RECALL_AIM, "met": met(found)},
    }


def met(found: Found) -> bool:
    """Whether the aims hold: pairs of what identifiers can tell, and no shared identifier that links."""
    told = found.quality.told_pairs
    return told.precision >= PRECISION_AIM and told.recall >= RECALL_AIM and found.generic_that_link == 0


def _plain(score: Score) -> dict[str, float]:
    return {**score._asdict(), "precision": score.precision, "recall": score.recall, "f1": score.f1}


def refused_in_words(refused: Counter[str] | dict[str, int]) -> str:
    """The links that were refused, by rule."""
    return ", ".join(f"{rule} {count:,}" for rule, count in refused.items()) or "none"
