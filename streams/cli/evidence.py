"""What the workers know of who is who, for some identifiers: the evidence of their component, and the interactions that made its links.

The rule this module owns: nothing is resolved here; a component is found by its rows, and an interaction stands for the links that it made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import orjson

from streams.cli import state
from streams.cli.customer import Profile
from streams.cli.facts import Message
from streams.identity.component import COMPONENT, NODE, Component, Node, Pair, copy, ends, join
from streams.identity.explain import Judged, judge
from streams.identity.identifiers import customer_id, keys
from streams.identity.messages import COMMANDED_MIN
from streams.identity.policy import Policy, ranked
from streams.rows import NODE_KEY_BYTES, TIMELINE, NodeKey, Person, Touch, decode_touch

Read = Callable[[], Iterator[Message]]
"""The changelog from its beginning."""

HASH_SHOWN = 10
KINDS_OF_CHANGES = ("merge", "split")
_ANCHOR_END = len(TIMELINE.tag) + NODE_KEY_BYTES


class Evidence(NamedTuple):
    """A component judged, and what the timelines hold of it: by link its interactions in order, by identifier its text and all that name it.
    `marked`: the identifiers of which a command says that they are shared by many; what was counted is not among them."""

    policy: Policy
    judged: Judged
    touches: dict[Pair, list[Touch]]
    named: dict[NodeKey, list[Touch]]
    names: dict[NodeKey, str]
    marked: frozenset[NodeKey] = frozenset()

    def name(self, key: NodeKey) -> str:
        """`type:value`; of an identifier whose interactions live on in totals only, `type:#` and the beginning of its customer id's hash."""
        return self.names.get(key) or f"{ranked(self.policy.types)[key[0]].name}:#{customer_id(key)[1 : HASH_SHOWN + 1]}"

    def person(self, key: NodeKey) -> Person:
        """Whose an identifier is."""
        return self.judged.person(key)


def gather(read: Read, wanted: Iterable[NodeKey], policy: Policy) -> tuple[Evidence, set[NodeKey]]:
    """The evidence of these identifiers' components, as one, and those of them that were never seen. Reads the changelog twice."""
    wanted = set(wanted)
    parents, shared, marked = _forest(read())
    roots = {_root(parents, key) for key in wanted}
    fragments = {key for key in parents if _root(parents, key) in roots} | roots
    components = {COMPONENT.tag + root for root in roots}
    found = state.rows(
        read(), lambda key: key in components or (key.startswith(TIMELINE.tag) and key[len(TIMELINE.tag) : _ANCHOR_END] in fragments)
    )
    whole = Component(set())
    touches = []
    for (_, key), row in found.items():
        if key in components:
            one = COMPONENT.decode(row)
            if whole.members:
                join(whole, one)
            else:
                whole = copy(one)
        else:
            touches.append(decode_touch(row))
    met = shared | _met(whole)
    whole.members |= wanted
    links, named, names = _sightings(touches, policy)
    together = {both: (seen[0].occurred_at, seen[-1].occurred_at) for both, seen in links.items()}
    met |= {end for both in links for end in ends(both)}
    return Evidence(policy, judge(whole, policy, together), links, named, names, frozenset(marked)), wanted - met


def name_of(changelog: Iterable[Message], wanted: NodeKey, policy: Policy) -> str:
    """`type:value` of the identifier that has this key, as the interactions that are held name it; nothing where none does."""

    def said(_: bytes, row: bytes) -> bytes:
        named = (f"{kind}:{value}" for kind, value in decode_touch(row).identifiers if wanted in keys(policy, [(kind, value)]))
        return next(named, "").encode()

    found = state.rows(changelog, lambda key: key.startswith(TIMELINE.tag), said)
    return next(filter(None, found.values()), b"").decode()


def changes_of(messages: Iterable[Message], customer: str) -> list[Profile]:
    """The merges and splits that led to a customer, as published, in time: its own, and those of whom it came from."""
    told = []
    for message in messages:
        if message.value is not None:
            change = orjson.loads(message.value)
            if change["kind"] in KINDS_OF_CHANGES:
                told.append(change)
    concerned, before = {customer}, 0
    while len(concerned) != before:
        before = len(concerned)
        for change in told:
            if concerned.intersection(change["into"]):
                concerned.update(change["from"])
    of_them = [change for change in told if concerned.intersection((*change["from"], *change["into"]))]
    return sorted(of_them, key=lambda change: (change["occurredAt"], change["version"], change["id"]))


def told(change: Profile) -> dict[str, object]:
    """A merge or a split for a machine."""
    return {name: change[name] for name in ("kind", "occurredAt", "from", "into", "messageId", "version")}


def _forest(changelog: Iterable[Message]) -> tuple[dict[NodeKey, NodeKey], set[NodeKey], set[NodeKey]]:
    """The parent of every identifier that has one, which are shared by too many, and which of these by a command."""
    parents: dict[NodeKey, NodeKey] = {}
    shared: set[NodeKey] = set()
    marked: set[NodeKey] = set()
    for message in changelog:
        stored = message.key
        if stored is None or not stored.startswith(NODE.tag):
            continue
        key = stored[len(NODE.tag) :]
        node = NODE.decode(message.value) if message.value is not None else Node()
        parents.pop(key, None)
        shared.discard(key)
        marked.discard(key)
        if node.parent is not None:
            parents[key] = node.parent
        if node.generic:
            shared.add(key)
            if node.order >= COMMANDED_MIN:
                marked.add(key)
    return parents, shared, marked


def _met(component: Component) -> set[NodeKey]:
    """The identifiers that an interaction or a command names; of those that were erased only a mark is left, which is no meeting."""
    both = [end for pair in (*component.edges, *component.cannot, *component.bound) for end in ends(pair)]
    return {*component.fragments, *both}


def _root(parents: dict[NodeKey, NodeKey], key: NodeKey) -> NodeKey:
    while key in parents:
        key = parents[key]
    return key


def _sightings(touches: Iterable[Touch], policy: Policy) -> tuple[dict[Pair, list[Touch]], dict[NodeKey, list[Touch]], dict[NodeKey, str]]:
    links: dict[Pair, list[Touch]] = defaultdict(list)
    named: dict[NodeKey, list[Touch]] = defaultdict(list)
    names: dict[NodeKey, str] = {}
    for touch in sorted(touches, key=lambda touch: touch.order):
        by_key: dict[NodeKey, str] = {}
        for kind, value in touch.identifiers:
            for key in keys(policy, [(kind, value)]):
                by_key[key] = f"{kind}:{value}"
        names |= by_key
        anchor, *others = sorted(by_key) if by_key else (b"",)
        for other in others:
            links[anchor + other].append(touch)
        for key in by_key:
            named[key].append(touch)
    return links, named, names
