"""Rows of identity: a node for every identifier that points or links, a component at every root, and what waits there.

The rule this module owns: evidence only grows, and joining it is commutative, associative and idempotent. Rows are values: a component is
changed only by the batch that copied it (workspace.py).
"""

from collections.abc import Callable, Collection, Iterator
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from streams.boundary import Kind
from streams.identity.messages import COMMANDED_MIN
from streams.identity.past import Past, joined
from streams.instants import HOUR, Instant
from streams.rows import NODE_KEY_BYTES, NodeKey, Person

FORMAT = 1

Pair = bytes
"""Two node keys, the lesser first: 32 bytes."""

Crowd = bytes
"""An identifier's key and, in one more byte, the code of a type of which it was seen with more than an identifier links: 17 bytes."""


class Node(Struct, array_like=True, frozen=True):
    """An identifier's place in the forest; no row means the default: a root that never asked or was asked.

    `linked`: identifiers it told to join already, a cache. `unique`: distinct unique identifiers seen with it. `generic`: too many of them.
    `order`: of the newest command that said whether it is generic, whatever is counted; 0: of none.
    `bare`: it had nothing when it got its parent, so nothing of it has to be absorbed before what climbs through it.
    `neighbours`: beginnings of the keys of those it was seen with, by which they are counted; of a type it is crowded with, none are kept.
    `crowded`: codes of the types of which it was seen with more than an identifier links. `erased`: the newest erasure of it as a person's own.
    `turn`: of the move in which it last gave away what it had; a RETURN of an earlier one came twice.
    """

    format: int = FORMAT
    parent: NodeKey | None = None
    linked: frozenset[NodeKey] = frozenset()
    unique: frozenset[NodeKey] = frozenset()
    generic: bool = False
    bare: bool = False
    order: int = 0
    neighbours: frozenset[bytes] = frozenset()
    crowded: frozenset[int] = frozenset()
    erased: tuple[Instant, int] | None = None
    turn: int = 0


class Component(Struct, array_like=True):
    """All that is known at a root: who belongs, what links them, and the people as last settled.

    `members`: the root, all that was absorbed or came with a touch, and generic ones whose root this is; the edges alone name all others.
    `fragments`: anchor -> its newest touch, `edges`: pair -> first and last seen; the newest and the last are kept to the hour.
    `cannot`: pair -> order of the command and whether they are apart. `floor`: no customer of this component ever had a greater version.
    `people`: None where all members are one person. `said`: the conflicts published before. `parked`: how many messages wait here.
    """

    members: set[NodeKey]
    format: int = FORMAT
    fragments: dict[NodeKey, Instant] = {}
    edges: dict[Pair, tuple[Instant, Instant]] = {}
    generic: set[NodeKey] = set()
    cannot: dict[Pair, tuple[int, bool]] = {}
    floor: int = 0
    parked: int = 0
    said: set[bytes] = set()
    people: tuple[Person, ...] | None = ()
    past: Past | None = None
    """Who was erased of this component, and which of its customers were merged into others."""
    bound: dict[Pair, int] = {}
    """The pairs that a command makes one person's, and its order; a later one of `cannot` ends it."""
    said_generic: dict[NodeKey, tuple[int, bool]] = {}
    """Of identifiers the order of the newest command that said whether they are generic, and whether; `generic` is what holds."""
    crowded: set[Crowd] = set()
    """Who was seen with too many of which type: no link between them is kept."""
    full: bool = False
    """It has become too large, and takes in nobody any more (full.py)."""
    parted: bool = False
    """One that is full would not be linked with it: whom its interactions name is told, for they may never come here (full.py)."""
    settled: tuple[Person, ...] | None = None
    """The customers, once they were asked for; never written."""
    undisputed: bool = False
    """Known to be one person whatever is seen again; never written."""


def alone(key: NodeKey) -> Component:
    """The component of an identifier that was never seen: itself, no touches, nobody."""
    return Component({key})


def copy(component: Component) -> Component:
    """A component that shares nothing changeable with the other."""
    return Component(
        set(component.members),
        FORMAT,
        dict(component.fragments),
        dict(component.edges),
        set(component.generic),
        dict(component.cannot),
        component.floor,
        component.parked,
        set(component.said),
        component.people,
        component.past,
        dict(component.bound),
        dict(component.said_generic),
        set(component.crowded),
        component.full,
        component.parted,
        component.settled,
        component.undisputed,
    )


def pair(left: NodeKey, right: NodeKey) -> Pair:
    """The one key of two nodes."""
    return left + right if left < right else right + left


def ends(both: Pair) -> tuple[NodeKey, NodeKey]:
    """The two nodes of a pair, the lesser first."""
    return both[:NODE_KEY_BYTES], both[NODE_KEY_BYTES:]


def hour(instant: Instant) -> Instant:
    """The hour an instant lies in: finer times of last sightings would write a row at every touch."""
    return instant - instant % HOUR


News = Literal["nothing", "again", "new"]
"""What a touch adds to the evidence: nothing; that something known was seen again, later; a link, a fragment or an earlier first sighting."""


def news(component: Component, ids: tuple[NodeKey, ...], occurred_at: Instant) -> News:
    """What a touch with these identifiers (its anchor first) would add to the evidence."""
    anchor = ids[0]
    newest = component.fragments.get(anchor)
    if newest is None:
        return "new"
    last = occurred_at - occurred_at % HOUR
    found: News = "again" if newest < last else "nothing"
    edges, crowded = component.edges, component.crowded
    for other in ids[1:]:
        if crowded and is_crowded(crowded, anchor, other):
            continue
        seen = edges.get(anchor + other)
        if seen is None or occurred_at < seen[0]:
            return "new"
        if last > seen[1]:
            found = "again"
    return found


def witness(component: Component, ids: tuple[NodeKey, ...], occurred_at: Instant) -> None:
    """Join a touch's evidence into a component that the caller owns."""
    last = occurred_at - occurred_at % HOUR
    anchor = ids[0]
    component.members.add(anchor)
    newest = component.fragments.get(anchor)
    if newest is None or newest < last:
        component.fragments[anchor] = last
    edges, crowded = component.edges, component.crowded
    for other in ids[1:]:
        if crowded and is_crowded(crowded, anchor, other):
            continue
        both = anchor + other
        seen = edges.get(both)
        if seen is None:
            edges[both] = (occurred_at, last)
        elif occurred_at < seen[0] or last > seen[1]:
            edges[both] = (min(seen[0], occurred_at), max(seen[1], last))


def forbid(component: Component, both: Pair, order: int, apart: bool) -> bool:
    """Keep a command about two identifiers if it is the newest, in a component that the caller owns; whether it was. Of two that are equally
    new the one that keeps apart holds, so that any order of arrival leads to the same."""
    known = component.cannot.get(both)
    if known is not None and known >= (order, apart):
        return False
    component.cannot[both] = (order, apart)
    return True


def bind(component: Component, both: Pair, order: int) -> bool:
    """Keep a command that makes two one person's if it is the newest such, in a component that the caller owns; whether it was."""
    if component.bound.get(both, -1) >= order:
        return False
    component.bound[both] = order
    return True


def mark(component: Component, key: NodeKey, order: int, generic: bool) -> bool:
    """Keep that an identifier is generic, or is not, in a component that the caller owns; whether that changed anything. What was only counted
    (order 0) never holds against a command."""
    known = component.said_generic.get(key)
    if known is not None and known >= (order, generic):
        return False
    if order:
        component.said_generic[key] = (order, generic)
    if (key in component.generic) == generic:
        return False
    (component.generic.add if generic else component.generic.discard)(key)
    return True


def is_crowded(crowded: Collection[Crowd], left: NodeKey, right: NodeKey) -> bool:
    """Whether one of two was seen with too many of the other's type, so that nothing links them."""
    return left + right[:1] in crowded or right + left[:1] in crowded


def crowd(component: Component, seen: Crowd) -> None:
    """Keep that an identifier was seen with too many of a type, and no link between them, in a component that the caller owns."""
    component.crowded.add(seen)
    _part_crowds(component)


def _part_crowds(component: Component) -> None:
    for both in [both for both in component.edges if is_crowded(component.crowded, *ends(both))]:
        del component.edges[both]


def is_bound(component: Component, both: Pair) -> bool:
    """Whether the newest command about two identifiers makes them one person's."""
    order = component.bound.get(both)
    return order is not None and order > component.cannot.get(both, (-1, False))[0]


def is_apart(component: Component, both: Pair) -> bool:
    """Whether the newest command about two identifiers keeps them apart."""
    order, apart = component.cannot.get(both, (-1, False))
    return apart and order >= component.bound.get(both, -1)


def is_unmarked(component: Component, key: NodeKey) -> bool:
    """Whether the newest command about an identifier says that it links."""
    order, generic = component.said_generic.get(key, (0, False))
    return order >= COMMANDED_MIN and not generic


def join(component: Component, other: Component) -> None:
    """Join another component's evidence into one that the caller owns; its settled people and what is parked there are the caller's matter."""
    component.members |= other.members
    for anchor, newest in other.fragments.items():
        component.fragments[anchor] = max(component.fragments.get(anchor, newest), newest)
    for both, (first, last) in other.edges.items():
        seen = component.edges.get(both)
        component.edges[both] = (first, last) if seen is None else (min(seen[0], first), max(seen[1], last))
    component.generic |= other.generic
    component.crowded |= other.crowded
    if component.crowded:
        _part_crowds(component)
    if component.said_generic or other.said_generic:
        _join_marks(component, other)
    for both, (order, apart) in other.cannot.items():
        forbid(component, both, order, apart)
    for both, order in other.bound.items():
        bind(component, both, order)
    component.said |= other.said
    component.full = component.full or other.full
    component.parted = component.parted or other.parted
    component.past = joined(component.past, other.past)
    component.floor = max(component.floor, other.floor) + 1


def _join_marks(component: Component, other: Component) -> None:
    for key, said in other.said_generic.items():
        component.said_generic[key] = max(component.said_generic.get(key, said), said)
    for key, (_, generic) in component.said_generic.items():
        (component.generic.add if generic else component.generic.discard)(key)


def is_bare(component: Component) -> bool:
    """Whether it is an identifier alone, of which nothing is known and for which nothing waits."""
    return not (
        component.fragments
        or component.edges
        or component.generic
        or component.cannot
        or component.bound
        or component.said_generic
        or component.crowded
        or component.parked
        or component.floor
        or component.past
        or component.parted
    )


def identifiers(component: Component) -> set[NodeKey]:
    """All that belong: members, and whatever a link names that is not shared by too many. Not to be changed."""
    members, edges = component.members, component.edges
    if not edges:
        return members
    named = members.union([both[:NODE_KEY_BYTES] for both in edges], [both[NODE_KEY_BYTES:] for both in edges])
    return named - (component.generic - members) if component.generic else named


def settled(component: Component) -> tuple[Person, ...]:
    """The people as last settled who hold a touch, by canonical key: the customers of this component."""
    if component.settled is None:
        people = component.people
        if people is None:
            members = tuple(sorted(identifiers(component)))
            people = (Person(members[0], members, tuple(sorted(component.fragments))),)
        component.settled = people
    return component.settled


S = TypeVar("S", Node, Component)
V = TypeVar("V")


def _sorted(by_key: dict[bytes, V]) -> dict[bytes, V]:
    return {key: by_key[key] for key in sorted(by_key)}


def _write_component(component: Component) -> bytes:
    members, fragments, edges = component.members, component.fragments, component.edges
    return _WRITE((
        members if len(members) < 2 else sorted(members),
        component.format,
        fragments if len(fragments) < 2 else _sorted(fragments),
        edges if len(edges) < 2 else _sorted(edges),
        component.generic and sorted(component.generic),
        component.cannot and _sorted(component.cannot),
        component.floor,
        component.parked,
        component.said and sorted(component.said),
        component.people,
        component.past,
        *(_last_of(component) if _has_more(component) else ()),
    ))  # fmt: skip


def _has_more(component: Component) -> bool:
    return bool(component.bound or component.said_generic or component.crowded or component.full or component.parted)


def _last_of(component: Component) -> Iterator[object]:
    """What few components have, as far as this one does."""
    yield _sorted(component.bound)
    yield _sorted(component.said_generic)
    if component.crowded or component.full or component.parted:
        yield sorted(component.crowded)
    if component.full or component.parted:
        yield component.full
    if component.parted:
        yield True


def _kind(name: str, tag: bytes, of: type[S], write: Callable[[S], bytes]) -> Kind[S]:
    read = msgspec.msgpack.Decoder(of).decode

    def decode(row: bytes) -> S:
        value = read(row)
        if value.format != FORMAT:
            raise ValueError(f"a {name} row of format {value.format}: this program knows {FORMAT}")
        return value

    return Kind(name, tag, write, decode)


_WRITE = msgspec.msgpack.Encoder().encode
NODE = _kind("node", b"n", Node, msgspec.msgpack.Encoder(order="deterministic").encode)
"""Key: node key."""
COMPONENT = _kind("component", b"c", Component, _write_component)
"""Key: the root's node key. A component that never had a touch, a command or a message waiting has no row."""
MET: Kind[bytes] = Kind("met", b"m", bytes, bytes)
"""Key: a generic identifier (16) + an anchor that was seen with it since it is (16); whom it would link if it linked again."""
PASSED: Kind[bytes] = Kind("passed", b"x", bytes, bytes)
"""Key: an identifier (16) + an anchor that named it and is crowded with its type (16): who has to hear of it if it is erased."""
REFUSED: Kind[bytes] = Kind("refused", b"r", bytes, bytes)
"""Key: a root (16) + a node that pointed there and was sent back by one that is full (16): what climbed by way of it goes on to it.
Value: the turn of its last move that was undone (8, big-endian); an ABSORB of that one comes twice."""
PARKED: Kind[bytes] = Kind("parked", b"p", bytes, bytes)
"""Key: root (16) + digest of the message (16); value: a message that waits for an ABSORB on its way."""
STASH: Kind[bytes] = Kind("stash", b"s", bytes, bytes)
"""Key: addressed node (16) + child (16) + turn (8, big-endian) + part (4); value: a slice of an ABSORB or a RETURN whose others are still to come.

Once they are joined, only the row of part 0 is kept, empty: a slice that comes twice is known by it."""
