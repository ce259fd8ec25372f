"""A person who has grown: by identifiers, by interactions, by others whose interactions are all later.

The rule this module owns: what it finds leads to the same row as a fold of the whole timeline, by the fold's law, or it finds nothing. It looks
only at what came and at the timelines of those who joined, never at the timeline of the one who grew.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from msgspec import Struct

from streams.boundary import Rows
from streams.customer import timeline
from streams.customer.state import FoldRow, follows
from streams.identity.workspace import Row
from streams.language import Rulebook
from streams.rows import NODE_KEY_BYTES, TIMELINE, NodeKey, Person, Touch, decode_touch, end_of

in_order: Callable[[Touch], tuple[int, str, str]] = attrgetter("occurred_at", "id", "source")
"""The key that touches sort by: as `touch.order`, for text compares as its UTF-8 bytes do."""


class Arrived(Struct, frozen=True, gc=False):
    """What came to the timelines in this batch: new interactions and their uids by fragment, the fragments in which one took another's place, and
    those that got an id which another fragment of the same person holds: the two count once, and which of them is for the timeline to say."""

    fresh: dict[NodeKey, list[Touch]]
    uids: dict[NodeKey, list[bytes]]
    replaced: set[NodeKey]
    elsewhere: set[NodeKey]


class Grown(Struct, frozen=True, gc=False):
    """The place among those before of the one whose row is folded on (None: nobody's, it is new), and the interactions to fold onto it, sorted."""

    place: int | None
    touches: list[Touch]


class Timelines:
    """The timelines of those whom a change concerns, each read once, and not at all where all that it holds came in this batch.

    `known`: all fragments that held anything before this batch; `carried`: rows of those that came whole from another partition.
    """

    def __init__(self, rows: Rows, known: frozenset[NodeKey], carried: Mapping[NodeKey, Sequence[Row]], arrived: Arrived) -> None:
        self.rows = rows
        self.known = known
        self.arrived = arrived
        self._carried = carried
        self._read: dict[NodeKey, tuple[list[bytes], list[Touch]]] = {}

    def of(self, fragment: NodeKey) -> tuple[list[bytes], list[Touch]]:
        """The ids in a fragment, and its interactions in the same order."""
        found = self._read.get(fragment)
        if found is None:
            arrived, carried = self.arrived, self._carried.get(fragment)
            rows: Iterable[Row] = ()
            is_replaced = fragment in arrived.replaced
            if is_replaced or (carried is None and fragment in self.known):
                rows = list(self.rows.scan(TIMELINE, fragment, end_of(fragment)))
            elif carried is not None:
                rows = carried
            uids, touches = [key[NODE_KEY_BYTES:] for key, _ in rows], [decode_touch(touch) for _, touch in rows]
            if not is_replaced and (carried is not None or fragment not in self.known):
                uids += arrived.uids.get(fragment, ())
                touches += arrived.fresh.get(fragment, ())
            found = self._read[fragment] = uids, touches
        return found

    def together(self, fragments: Sequence[NodeKey]) -> list[Touch]:
        """The timeline that the fragments make together: in order, each id once."""
        uids: list[bytes] = []
        touches: list[Touch] = []
        for fragment in fragments:
            found = self.of(fragment)
            uids += found[0]
            touches += found[1]
        if len(uids) > len(set(uids)):
            return timeline.read(self.rows, fragments)
        touches.sort(key=in_order)
        return touches


def grown(timelines: Timelines, rulebook: Rulebook, person: Person, old: Sequence[Person], had: Sequence[FoldRow]) -> Grown | None:
    """Onto whose row what the person has more can be folded; None where only a fold of the whole timeline tells.

    `old` and `had`: those before whom the change concerns, and their rows.
    """
    arrived, known = timelines.arrived, timelines.known
    fragments = person.fragments
    if not (arrived.replaced.isdisjoint(fragments) and arrived.elsewhere.isdisjoint(fragments)):
        return None
    place = _first(fragments, old, had)
    own: tuple[NodeKey, ...] = ()
    if place is not None:
        if had[place].rulebook != rulebook.version:
            return None
        own = old[place].fragments
    elif not known.isdisjoint(fragments):
        return None
    touches: list[Touch] = []
    joined: list[bytes] = []
    for fragment in fragments:
        if fragment in own or fragment not in known:
            touches += arrived.fresh.get(fragment, ())
        else:
            uids, found = timelines.of(fragment)
            touches += found
            joined += uids
    if len(touches) > 1:
        touches.sort(key=in_order)
    if touches and place is not None and not follows(had[place].state, touches[0]):
        return None
    return None if _is_twice(timelines.rows, joined, own) else Grown(place, touches)


def _is_twice(rows: Rows, joined: Sequence[bytes], own: Sequence[NodeKey]) -> bool:
    """Whether an id that joined with others' timelines came with two of them, or is one of the person's own."""
    if len(joined) > len(set(joined)):
        return True
    return bool(joined and own) and any(held is not None for held in rows.get(TIMELINE, [one + uid for uid in joined for one in own]))


def elsewhere(rows: Rows, people: Iterable[Person], uids: Mapping[NodeKey, Sequence[bytes]]) -> set[NodeKey]:
    """The fragments to which an id came that another fragment of their person holds; all are looked up in one read. `uids`: by fragment."""
    keys: list[bytes] = []
    owners: list[NodeKey] = []
    for person in people:
        fragments = person.fragments
        if len(fragments) > 1:
            for fragment in fragments:
                for uid in uids.get(fragment, ()):
                    others = [other + uid for other in fragments if other != fragment]
                    keys += others
                    owners += [fragment] * len(others)
    found = rows.get(TIMELINE, keys)
    return {owner for owner, held in zip(owners, found, strict=True) if held is not None}


def _first(fragments: Sequence[NodeKey], old: Sequence[Person], had: Sequence[FoldRow]) -> int | None:
    """Of those before who went into the fragments whole, the one whose newest interaction is the oldest: all others' may be later."""
    found, least = None, None
    for place, (before, row) in enumerate(zip(old, had, strict=True)):
        newest = row.state.newest
        if newest is not None and (least is None or newest < least) and all(fragment in fragments for fragment in before.fragments):
            found, least = place, newest
    return found
