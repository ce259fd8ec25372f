"""A customer's timeline: the set of the interactions of its fragments, ordered by (occurred_at, id, source).

The rule this module owns: it is a set. Inserting twice changes nothing, any order of insertion gives the same timeline, and of two interactions
with one id the one that occurred least, then has the least bytes, is the one, also where they lie in two fragments.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.msgpack import Decoder

from streams.boundary import Rows
from streams.rows import NODE_KEY_BYTES, TIMELINE, NodeKey, Touch, decode_touch, end_of

Inserted = Literal["fresh", "duplicate", "replaced"]


class _Glance(Struct, array_like=True, frozen=True, gc=False):
    """The beginning of a touch: where it stands."""

    id: str
    source: str
    occurred_at: int


_GLANCE = Decoder(_Glance).decode


class Entry(NamedTuple):
    """An interaction where it stands: sorts as its timeline does."""

    occurred_at: int
    id: str
    source: str
    touch: bytes


def insert(rows: Rows, fragment: NodeKey, uid: bytes, touch: bytes) -> Inserted:
    """Put an interaction, as `encode_touch` wrote it, into its fragment; what is replaced or put has its customer folded from there."""
    key = fragment + uid
    return place(rows, key, rows.get(TIMELINE, [key])[0], touch)


def place(rows: Rows, key: bytes, held: bytes | None, touch: bytes) -> Inserted:
    """As `insert`, for a caller who knows what the timeline holds at this key."""
    if held is not None:
        if held == touch or _rank(held) <= _rank(touch):
            return "duplicate"
        rows.put(TIMELINE, key, touch)
        return "replaced"
    rows.put(TIMELINE, key, touch)
    return "fresh"


def entries(rows: Rows, fragments: Iterable[NodeKey]) -> list[Entry]:
    """All that the fragments hold, in order, each id once; the touches still encoded."""
    found: dict[bytes, bytes] = {}
    for fragment in fragments:
        for key, touch in rows.scan(TIMELINE, fragment, end_of(fragment)):
            uid = key[NODE_KEY_BYTES:]
            held = found.get(uid)
            if held is None or (held != touch and _rank(touch) < _rank(held)):
                found[uid] = touch
    return sorted(_entry(touch) for touch in found.values())


class Held(NamedTuple):
    """An interaction that a timeline holds: where it stands, the fragment that it counts for, and the keys of all rows that hold it."""

    entry: Entry
    fragment: NodeKey
    keys: list[bytes]


def held(rows: Rows, fragments: Iterable[NodeKey]) -> list[Held]:
    """As `entries`, with the rows that each comes from."""
    found: dict[bytes, Held] = {}
    for fragment in fragments:
        for key, touch in rows.scan(TIMELINE, fragment, end_of(fragment)):
            uid = key[NODE_KEY_BYTES:]
            known = found.get(uid)
            if known is None:
                found[uid] = Held(_entry(touch), fragment, [key])
            elif _rank(touch) < _rank(known.entry.touch):
                found[uid] = Held(_entry(touch), fragment, [*known.keys, key])
            else:
                known.keys.append(key)
    return sorted(found.values(), key=lambda each: each.entry)


def read(rows: Rows, fragments: Iterable[NodeKey]) -> list[Touch]:
    """The timeline that the fragments make together: in order, each id once."""
    return [decode_touch(entry.touch) for entry in entries(rows, fragments)]


def _rank(touch: bytes) -> tuple[int, bytes]:
    return _GLANCE(touch).occurred_at, touch


def _entry(touch: bytes) -> Entry:
    glance = _GLANCE(touch)
    return Entry(glance.occurred_at, glance.id, glance.source, touch)
