"""A person who has grown: by identifiers, by interactions, by others whose interactions are all later.

The rule this module owns: what it finds leads to the same row as a fold of the whole timeline, by the fold's law, or it finds nothing. It looks
only at what came and at the timelines of those who joined, never at the timeline of the one who grew.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from streams.boundary import Rows
from streams.customer.state import FoldRow, follows
from streams.language import Rulebook
from streams.rows import NODE_KEY_BYTES, TIMELINE, NodeKey, Person, Touch, decode_touch, end_of

in_order: Callable[[Touch], tuple[int, str, str]] = attrgetter("occurred_at", "id", "source")
"""The key that touches sort by: as `touch.order`, for text compares as its UTF-8 bytes do."""


class Arrived(NamedTuple):
    """What came to the timelines in this batch: new interactions and their uids by fragment, and the fragments in which one took another's place."""

    fresh: dict[NodeKey, list[Touch]]
    uids: dict[NodeKey, list[bytes]]
    replaced: set[NodeKey]


class Grown(NamedTuple):
    """The place among those before of the one whose row is folded on (None: nobody's, it is new), and the interactions to fold onto it, sorted."""

    place: int | None
    touches: list[Touch]


def grown(
    rows: Rows,
    rulebook: Rulebook,
    person: Person,
    known: frozenset[NodeKey],
    old: Sequence[Person],
    had: Sequence[FoldRow],
    arrived: Arrived,
) -> Grown | None:
    """Onto whose row what the person has more can be folded; None where only a fold of the whole timeline tells.

    `old` and `had`: those before whom the change concerns, and their rows; `known`: all fragments that held anything before this batch.
    """
    fragments = person.fragments
    if arrived.replaced and not arrived.replaced.isdisjoint(fragments):
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
    uids: list[tuple[NodeKey, bytes]] = []
    for fragment in fragments:
        if fragment in own or fragment not in known:
            touches += arrived.fresh.get(fragment, ())
            uids += [(fragment, uid) for uid in arrived.uids.get(fragment, ())]
        else:
            for key, touch in rows.scan(TIMELINE, fragment, end_of(fragment)):
                touches.append(decode_touch(touch))
                uids.append((fragment, key[NODE_KEY_BYTES:]))
    if len(touches) > 1:
        touches.sort(key=in_order)
    if touches and place is not None and not follows(had[place].state, touches[0]):
        return None
    return None if is_elsewhere(rows, fragments, uids) else Grown(place, touches)


def is_elsewhere(rows: Rows, fragments: Sequence[NodeKey], uids: Sequence[tuple[NodeKey, bytes]]) -> bool:
    """Whether another fragment of the person holds an id that came: then the two count once, and which of them is for the timeline to say."""
    if len(fragments) < 2 or not uids:
        return False
    return any(held is not None for held in rows.get(TIMELINE, [other + uid for own, uid in uids for other in fragments if other != own]))


def by_fragment(uids: Mapping[NodeKey, Sequence[bytes]], fragments: Sequence[NodeKey]) -> list[tuple[NodeKey, bytes]]:
    """The ids that came to these fragments."""
    return [(fragment, uid) for fragment in fragments for uid in uids.get(fragment, ())]


def _first(fragments: Sequence[NodeKey], old: Sequence[Person], had: Sequence[FoldRow]) -> int | None:
    """Of those before who went into the fragments whole, the one whose newest interaction is the oldest: all others' may be later."""
    found, least = None, None
    for place, (before, row) in enumerate(zip(old, had, strict=True)):
        newest = row.state.newest
        if newest is not None and (least is None or newest < least) and all(fragment in fragments for fragment in before.fragments):
            found, least = place, newest
    return found
