"""Why identifiers are one person, or why not: every link of a component with its verdict, and the chains that they make.

The rule this module owns: it judges nothing itself. What holds is what resolve let stand and did not refuse, so a chain of links that hold
lies within one person, and where people differ every chain between them has a link that does not hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from schemas.identity_conflict import Rule
from streams.identity.component import Component, Pair, ends, is_apart, is_bound, pair
from streams.identity.messages import ORDERS_PER_MICROSECOND
from streams.identity.policy import IdentifierType, Policy
from streams.identity.resolve import Link, Refused, law, resolve, standing
from streams.instants import Instant
from streams.rows import NodeKey, Person

Verdict = Rule | Literal["holds", "bound", "expired"]
"""Of a link: it holds, a command binds the two, its identifier had expired when it was first seen, or the rule that refused it."""


NOBODY: Mapping[Pair, tuple[Instant, Instant]] = {}


class Step(NamedTuple):
    """A link of the evidence, the lesser identifier first: when it was seen, its verdict, and the type at fault (None where it holds)."""

    left: NodeKey
    right: NodeKey
    first_seen: Instant
    last_seen: Instant
    verdict: Verdict
    type: str | None

    @property
    def holds(self) -> bool:
        return self.verdict in ("holds", "bound")


class Judged(NamedTuple):
    """The people of a component by canonical key, every link of its evidence by its two keys, the pairs that commands keep apart, and the
    identifiers that are shared by too many."""

    people: tuple[Person, ...]
    steps: tuple[Step, ...]
    apart: tuple[Pair, ...]
    generic: frozenset[NodeKey]

    def person(self, key: NodeKey) -> Person:
        """Whose an identifier is; one that the evidence does not name is alone."""
        return next((person for person in self.people if key in person.members), Person(key, (key,), ()))


class Why(NamedTuple):
    """Whether two identifiers are one person's, and the chain of links between them that has the fewest that do not hold, then the fewest.

    No steps: they are one identifier, or never came together. `others`: links between the two people that do not hold and are not in the chain.
    `apart`: pairs of theirs that commands keep apart.
    """

    same: bool
    steps: tuple[Step, ...]
    others: tuple[Step, ...] = ()
    apart: tuple[Pair, ...] = ()


def judge(component: Component, policy: Policy, together: Mapping[Pair, tuple[Instant, Instant]] = NOBODY) -> Judged:
    """Who the members of a component are, and what became of each link between them. `together`: the pairs that interactions name, and when first and
    last: those whose link was not kept, for one of them is crowded or the component full, are told as well."""
    by = law(policy)
    resolved = resolve(component, policy)
    stood = set(standing(by, component))
    refused = {pair(one.left, one.right): one for one in resolved.refused if one.left != one.right}
    things = [link for link in stood if link.right[0] in by.weak and not is_bound(component, link.left + link.right)]
    shared = {one.left: one for one in resolved.refused if one.rule == "shared_login"}
    refused |= {link.left + link.right: shared[link.left] for link in things if link.left in shared}
    steps = []
    for both, (first, last) in sorted(component.edges.items()):
        left, right = ends(both)
        verdict, at_fault = _verdict(Link(left, right, first, last), component, stood, refused, by.types)
        steps.append(Step(left, right, first, last, verdict, at_fault))
    for both, order in component.bound.items():
        if both not in component.edges and Link(*ends(both), 0, 0) in stood:
            at, said = order // ORDERS_PER_MICROSECOND, refused.get(both)
            steps.append(Step(*ends(both), at, at, "bound" if said is None else said.rule, None if said is None else said.type))
    for both, (first, last) in sorted(together.items()):
        if both not in component.edges and (why_not := _unkept(component, both, by.types)) is not None:
            steps.append(Step(*ends(both), first, last, *why_not))
    apart = tuple(sorted(both for both in component.cannot if is_apart(component, both)))
    return Judged(resolved.people, tuple(steps), apart, frozenset(component.generic))


def why(judged: Judged, left: NodeKey, right: NodeKey) -> Why:
    """What joins two identifiers, or what keeps them apart."""
    if left == right:
        return Why(True, ())
    chain = _chains(judged.steps, left).get(right, ())
    one, other = set(judged.person(left).members), set(judged.person(right).members)
    if chain and all(step.holds for step in chain):
        return Why(True, chain)
    others = tuple(step for step in judged.steps if step not in chain and _between(step.left, step.right, one, other))
    return Why(False, chain, others, tuple(both for both in judged.apart if _between(*ends(both), one, other)))


def chains(judged: Judged, person: Person) -> dict[NodeKey, tuple[Step, ...]]:
    """Of every member the shortest chain of links that hold, from the canonical identifier to it; of that itself none."""
    return _chains([step for step in judged.steps if step.holds], person.canonical)


def refusals(judged: Judged, person: Person) -> tuple[Step, ...]:
    """The links of a person's identifiers that do not hold."""
    members = set(person.members)
    return tuple(step for step in judged.steps if not step.holds and (step.left in members or step.right in members))


def walk(start: NodeKey, chain: Iterable[Step]) -> list[NodeKey]:
    """The identifiers along a chain, the start among them."""
    keys = [start]
    for step in chain:
        keys.append(step.right if step.left == keys[-1] else step.left)
    return keys


def _verdict(
    link: Link,
    component: Component,
    stood: set[Link],
    refused: Mapping[Pair, Refused],
    types: Sequence[IdentifierType],
) -> tuple[Verdict, str | None]:
    for end in (link.left, link.right):
        if end in component.generic:
            return "generic", types[end[0]].name
    known = refused.get(link.left + link.right)
    if known is not None:
        return known.rule, known.type
    if link in stood:
        return "bound" if is_bound(component, link.left + link.right) else "holds", None
    for end in (link.right, link.left):
        if _is_late(link, end, component, types):
            return "expired", types[end[0]].name
    return "component_frozen", None


def _unkept(component: Component, both: Pair, types: Sequence[IdentifierType]) -> tuple[Rule, str] | None:
    """Why a link was not kept, and the type at fault; None where that is not known."""
    left, right = ends(both)
    for one, other in ((left, right), (right, left)):
        if one + other[:1] in component.crowded:
            return "crowded", types[other[0]].name
    return ("component_full", types[right[0]].name) if component.full else None


def _is_late(link: Link, end: NodeKey, component: Component, types: Sequence[IdentifierType]) -> bool:
    """Whether a link was first seen when this end of it had expired; its life begins with its first link."""
    expires = types[end[0]].expires
    return expires is not None and link.first - min(first for both, (first, _) in component.edges.items() if end in ends(both)) > expires


def _between(left: NodeKey, right: NodeKey, one: set[NodeKey], other: set[NodeKey]) -> bool:
    return (left in one and right in other) or (left in other and right in one)


def _chains(steps: Iterable[Step], start: NodeKey) -> dict[NodeKey, tuple[Step, ...]]:
    """From `start` to all that links lead to (itself left out): of fewest links that do not hold, then fewest links, then least keys."""
    links: dict[NodeKey, list[tuple[NodeKey, Step]]] = defaultdict(list)
    for step in steps:
        links[step.left].append((step.right, step))
        links[step.right].append((step.left, step))
    came: dict[NodeKey, tuple[NodeKey, Step]] = {}
    done: set[NodeKey] = set()
    cost = {start: (0, 0)}
    waiting = [((0, 0), start)]
    order = []
    while waiting:
        (broken, hops), key = heappop(waiting)
        if key in done:
            continue
        done.add(key)
        order.append(key)
        for other, step in links[key]:
            further = (broken + (not step.holds), hops + 1)
            if other not in cost or further < cost[other]:
                cost[other] = further
                came[other] = (key, step)
                heappush(waiting, (further, other))
    found: dict[NodeKey, tuple[Step, ...]] = {start: ()}
    for key in order[1:]:
        before, step = came[key]
        found[key] = (*found[before], step)
    del found[start]
    return found
