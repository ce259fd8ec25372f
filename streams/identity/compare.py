"""Who would be who under another policy: people resolved anew from the evidence that there is, and what became of each customer.

The rule this module owns: evidence is not changed, only judged anew. So what a policy blocks, or whom it trusts, counts for what is still to come; and
a policy whose types differ in name or order makes other keys of the same identifiers, so the evidence that there is says nothing under it.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from streams.identity.component import Component, Node, copy, crowd, ends, join
from streams.identity.counts import judged
from streams.identity.policy import Policy, PolicyError, ranked
from streams.identity.resolve import resolve
from streams.rows import NodeKey, Person

U = TypeVar("U", bound=Hashable)
Read = Callable[[], Iterable[Component]]
"""All components, from the first, as often as it is called."""
Nodes = Callable[[], Iterable[tuple[NodeKey, Node]]]
"""All nodes, by key."""


class Split(NamedTuple):
    """A customer of whom several would be."""

    customer: str
    into: tuple[str, ...]


class Merge(NamedTuple):
    """Customers who would be one."""

    customers: tuple[str, ...]
    into: str


class Renamed(NamedTuple):
    """A customer who would be the same under another id."""

    customer: str
    into: str


class Difference(NamedTuple):
    """Customers before and after; who would merge, split or change id, each sorted; `same` stay as they are."""

    before: int
    after: int
    same: int
    merges: tuple[Merge, ...]
    splits: tuple[Split, ...]
    renamed: tuple[Renamed, ...]


def difference(before: Mapping[U, str], after: Mapping[U, str]) -> Difference:
    """Compare whose each part was and would be; a part that only one of the two knows is nobody's loss."""
    into: dict[str, set[str]] = defaultdict(set)
    came: dict[str, set[str]] = defaultdict(set)
    for part, customer in before.items():
        if part in after:
            into[customer].add(after[part])
            came[after[part]].add(customer)
    merges = sorted(Merge(tuple(sorted(customers)), one) for one, customers in came.items() if len(customers) > 1)
    splits = sorted(Split(customer, tuple(sorted(several))) for customer, several in into.items() if len(several) > 1)
    alone = [(customer, next(iter(one))) for customer, one in into.items() if len(one) == 1 and len(came[next(iter(one))]) == 1]
    renamed = sorted(Renamed(customer, one) for customer, one in alone if customer != one)
    return Difference(
        len(set(before.values())), len(set(after.values())), len(alone) - len(renamed), tuple(merges), tuple(splits), tuple(renamed)
    )


def check(old: Policy, new: Policy) -> None:
    """PolicyError where the evidence under one policy says nothing under the other."""
    names, others = ([kind.name for kind in ranked(policy.types)] for policy in (old, new))
    if names != others:
        raise PolicyError(
            f"types: by priority and name these are {', '.join(others)}; the keys of all rows were made with {', '.join(names)}, so nobody who is "
            "known would be known under it"
        )


def under(read: Read, nodes: Nodes, old: Policy, new: Policy) -> Iterable[Person]:
    """The customers of all components under a new policy: what nodes have counted is judged by it, as a sweep would (sweep.py); what somebody said stays."""
    check(old, new)
    shared, freed, crowds = _counted(nodes(), new)
    for component in _together(read, freed):
        everybody = named(component)
        component.generic = shared & everybody
        for key in everybody & crowds.keys():
            for code in crowds[key]:
                crowd(component, key + bytes([code]))
        yield from (person for person in resolve(component, new).people if person.fragments)


def named(component: Component) -> set[NodeKey]:
    """All that a component's evidence names, what is generic included."""
    return component.members | {end for both in component.edges for end in ends(both)}


def _counted(nodes: Iterable[tuple[NodeKey, Node]], new: Policy) -> tuple[set[NodeKey], set[NodeKey], dict[NodeKey, frozenset[int]]]:
    """The identifiers that would be generic, those that are and would not be, and whoever would be crowded, with which types (codes)."""
    types = ranked(new.types)
    shared: set[NodeKey] = set()
    freed: set[NodeKey] = set()
    crowds: dict[NodeKey, frozenset[int]] = {}
    for key, node in nodes:
        now = judged(key, node, types)
        if now.generic:
            shared.add(key)
        elif node.generic:
            freed.add(key)
        if now.crowded != node.crowded:
            crowds[key] = now.crowded - node.crowded
    return shared, freed, crowds


def _together(read: Read, freed: set[NodeKey]) -> Iterable[Component]:
    """All components; those that have an identifier in common which would link again, as one."""
    if not freed:
        yield from (copy(component) for component in read())
        return
    groups: list[tuple[set[NodeKey], Component]] = []
    for component in read():
        links = freed & named(component)
        if not links:
            yield copy(component)
            continue
        whole = copy(component)
        for met in [group for group in groups if not links.isdisjoint(group[0])]:
            groups.remove(met)
            links |= met[0]
            join(whole, met[1])
        groups.append((links, whole))
    for links, whole in groups:
        whole.members |= links
        yield whole
