"""How a component's rows travel to another partition: packed, cut into slices, put together again.

The rule this module owns: all of a component's rows leave this partition in the batch that sends them, and appear in the other with the last slice.
Due entries stay: one whose fold row is gone is dropped when it is met.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from streams import rows as kinds
from streams.boundary import Kind
from streams.identity.component import COMPONENT, PARKED, STASH, Component, settled
from streams.identity.messages import Absorb, Apply, Cause, Message, Path, Return, encode
from streams.identity.past import Erasing, Past
from streams.identity.workspace import Applied, Row, Story, Workspace
from streams.rows import AGED, BASE, CHECKPOINT, FOLD, NODE_KEY_BYTES, PERSON_SUBJECT, TIMELINE, NodeKey, Person, end_of

SLICE_BYTES_MAX = 480 * 1024


class Body(Struct, array_like=True, frozen=True):
    """What an ABSORB carries: the component, its customers as last settled, their rows unread, and touches that are in no timeline yet."""

    component: bytes
    before: tuple[Person, ...]
    applied: list[Applied]
    timeline: list[Row]
    folds: list[Row]
    parked: list[bytes]
    cause: Cause | None
    aged: list[Row] = []
    bases: list[Row] = []
    erasing: Erasing | None = None


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Body).decode


def look_ahead(work: Workspace, unions: Mapping[NodeKey, NodeKey]) -> None:
    """Learn in one go for the roots that may be packed in this batch whether anything of theirs is in totals: mostly nothing is.

    `unions`: nodes and what each is told to hook under; where that lies in this partition, mostly nothing is packed.
    """
    asked = [(root, component) for root, component in work.stored(unions) if not work.rows.holds(unions[root])]
    fragments = [(root, fragment) for root, component in asked for fragment in component.fragments]
    subjects = [(root, PERSON_SUBJECT + person.canonical) for root, component in asked for person in settled(component)]
    work.untotalled = {root for root, _ in asked}
    for kind, owned in ((AGED, fragments), (BASE, subjects)):
        held = work.rows.get(kind, [key for _, key in owned]) if owned else []
        work.untotalled.difference_update([root for (root, _), row in zip(owned, held, strict=True) if row is not None])


def pack(work: Workspace, child: NodeKey) -> bytes:
    """Take a component and all its rows out of this partition, as one ABSORB's body."""
    rows = work.rows
    component = work.components[child]
    story = work.stories[child]
    timeline: list[Row] = []
    for fragment in sorted(component.fragments):
        timeline += list(rows.scan(TIMELINE, fragment, end_of(fragment)))
    for key, _ in timeline:
        rows.put(TIMELINE, key, None)
    subjects = [PERSON_SUBJECT + person.canonical for person in story.before]
    folds = _taken(work, FOLD, subjects)
    is_short = child in work.untotalled and not story.moved and component.past is None
    aged, bases = (_taken(work, AGED, sorted(component.fragments)), _taken(work, BASE, subjects)) if folds and not is_short else ([], [])
    if not is_short or len(timeline) >= kinds.CHECKPOINT_EVERY:
        for subject in subjects:
            for key, _ in list(rows.scan(CHECKPOINT, subject, end_of(subject))):
                rows.put(CHECKPOINT, key, None)
    parked = take_parked(work, child)
    body = Body(COMPONENT.encode(component), story.before, story.applied, timeline, folds, parked, story.cause, aged, bases, story.erasing)
    work.drop(child)
    return _ENCODE(body)


def _taken(work: Workspace, kind: Kind[bytes], keys: Sequence[bytes]) -> list[Row]:
    """Take the rows of a kind out of this partition."""
    held = work.rows.get(kind, keys)
    found = [(key, bytes(row)) for key, row in zip(keys, held, strict=True) if row is not None]
    for key, _ in found:
        work.rows.put(kind, key, None)
    return found


def past_of(body: bytes) -> Past | None:
    """What the component of an ABSORB's body remembers of those who are no more."""
    return COMPONENT.decode(_DECODE(body).component).past


def unpack(work: Workspace, body: bytes) -> tuple[Component, Story, list[bytes]]:
    """Put the rows of an ABSORB's body into this partition; the component and its story are the caller's to join, the parked messages to park."""
    moved = _DECODE(body)
    carried: dict[NodeKey, list[Row]] = {}
    for key, row in moved.timeline:
        work.rows.put(TIMELINE, key, row)
        carried.setdefault(key[:NODE_KEY_BYTES], []).append((key, row))
    for kind, found in ((FOLD, moved.folds), (AGED, moved.aged), (BASE, moved.bases)):
        for key, row in found:
            work.rows.put(kind, key, row)
    story = Story(moved.before)
    story.applied = moved.applied
    story.carried = carried
    story.cause = moved.cause
    story.erasing = moved.erasing
    return COMPONENT.decode(moved.component), story, moved.parked


def park(work: Workspace, root: NodeKey, message: Message) -> None:
    """Keep a message at a root until all that it climbed through has been absorbed there; one that is kept already is not kept twice."""
    row = encode(message)
    key = root + blake2b(row, digest_size=NODE_KEY_BYTES).digest()
    if work.rows.get(PARKED, (key,))[0] is None:
        work.rows.put(PARKED, key, row)
        work.own(root).parked += 1
        work.tally["kairos_identity_parked",] += 1
    elif isinstance(message, Apply):  # The same interaction, sent and received at the same instant.
        work.tally["kairos_interactions_duplicate",] += 1


def take_parked(work: Workspace, root: NodeKey) -> list[bytes]:
    """Take out all messages that wait at a root, for it is none any more."""
    if not work.components[root].parked:
        return []
    waiting = list(work.rows.scan(PARKED, root, end_of(root)))
    for key, _ in waiting:
        work.rows.put(PARKED, key, None)
    return [message for _, message in waiting]


def slices(child: NodeKey, body: bytes, path: Path, turn: int = 0) -> list[Absorb]:
    """An ABSORB in as many messages as its body needs."""
    cuts = [body[start : start + SLICE_BYTES_MAX] for start in range(0, len(body), SLICE_BYTES_MAX)]
    return [Absorb(child, part, len(cuts), cut, path, turn) for part, cut in enumerate(cuts)]


def gather(work: Workspace, key: NodeKey, message: Absorb | Return) -> bytes | None:
    """The whole body, once the last of its slices has come to a node; None before that and for a slice that comes again."""
    if message.parts == 1:
        return message.body
    names = [_name(key, message, part) for part in range(message.parts)]
    if work.rows.get(STASH, names[:1])[0] == b"":
        return None
    work.rows.put(STASH, names[message.part], message.body)
    stashed = [part for part in work.rows.get(STASH, names) if part is not None]
    if len(stashed) < message.parts:
        return None
    for name in names:
        work.rows.put(STASH, name, None)
    work.rows.put(STASH, names[0], b"")
    return b"".join(stashed)


def expect_again(work: Workspace, key: NodeKey, message: Absorb) -> None:
    """The slices that a node has put together have to wait, each as a row of its own, and will come to it again."""
    name = _name(key, message, 0)
    if work.rows.get(STASH, (name,))[0] is not None:
        work.rows.put(STASH, name, None)


def expect_no_more(work: Workspace, key: NodeKey, message: Absorb) -> None:
    """A slice that waited at a node has gone on: the same one, should it come twice, is known."""
    if message.parts > 1:
        work.rows.put(STASH, _name(key, message, 0), b"")


def _name(key: NodeKey, message: Absorb | Return, part: int) -> bytes:
    return key + message.child + message.turn.to_bytes(8, "big") + part.to_bytes(4, "big")
