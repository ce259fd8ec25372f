"""A timeline folded again from the last checkpoint before what came late.

The rule this module owns: a checkpoint is a state of the same people under the same rules, before anything that came since; those that an
insertion makes wrong are deleted before the fold. Without checkpoints the same is said, only slower.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from streams import rows as kinds
from streams.boundary import Rows
from streams.customer import room, timeline
from streams.customer.emissions import Emission
from streams.customer.fold import Folded, fold
from streams.customer.state import FORMAT, State, empty
from streams.language import Rulebook
from streams.rows import CHECKPOINT, NodeKey, decode_touch, end_of


class Checkpoint(Struct, array_like=True, frozen=True, gc=False):
    """A state, and under which rules and of which fragments it is one."""

    rulebook: str
    fragments: tuple[NodeKey, ...]
    state: State
    format: int = FORMAT


class Refolded(NamedTuple):
    """The fold from `base` on (None: from nothing): what it says, with what stood at `base`, is all that holds."""

    folded: Folded
    base: State | None


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Checkpoint).decode


def refold(
    rows: Rows,
    subject: bytes,
    fragments: Sequence[NodeKey],
    since: int | None,
    held: State | None,
    until: int,
    rulebook: Rulebook,
    start: State | None = None,
) -> Refolded:
    """Fold the fragments' timeline again up to `until`, from the last checkpoint before `since` (None: from `start`, and none is left).

    `held` is the customer's state so far: where it is short there are no checkpoints to look for. `start`: the state before all that the timeline
    holds (None: nothing was).
    """
    base = start
    if held is not None and held.interactions >= kinds.CHECKPOINT_EVERY:
        base = _base(rows, subject, tuple(fragments), since, rulebook) or start
    entries = timeline.entries(rows, fragments)
    after = empty(rulebook) if base is None else base
    if base is not None:
        entries = [entry for entry in entries if base.newest is None or entry[:3] > base.newest]
    said: list[Emission] = []
    while len(entries) > kinds.CHECKPOINT_EVERY:
        part, entries = entries[: kinds.CHECKPOINT_EVERY], entries[kinds.CHECKPOINT_EVERY :]
        folded = fold(after, [decode_touch(entry.touch) for entry in part], part[-1].occurred_at - 1, rulebook)
        after = folded.state
        said += folded.emissions
        _put(rows, subject, tuple(fragments), after, rulebook)
    last = fold(after, [decode_touch(entry.touch) for entry in entries], until, rulebook)
    return Refolded(Folded(last.state, said + last.emissions, last.next_deadline), base)


def mark(rows: Rows, subject: bytes, fragments: Sequence[NodeKey], before: State | None, after: State, rulebook: Rulebook) -> None:
    """Put a checkpoint after an incremental fold that made the timeline longer by enough."""
    if after.interactions // kinds.CHECKPOINT_EVERY > (before.interactions if before is not None else 0) // kinds.CHECKPOINT_EVERY:
        _put(rows, subject, tuple(fragments), after, rulebook)


def forget(rows: Rows, subject: bytes, since: int = 0) -> None:
    """Delete the checkpoints of a subject from an instant on: of people who became others, all."""
    for key, _ in list(rows.scan(CHECKPOINT, subject + _at(since), end_of(subject))):
        rows.put(CHECKPOINT, key, None)


def forget_until(rows: Rows, subject: bytes, instant: int) -> None:
    """Delete the checkpoints of a subject up to an instant and at it."""
    for key, _ in list(rows.scan(CHECKPOINT, subject, subject + _at(instant + 1))):
        rows.put(CHECKPOINT, key, None)


def _base(rows: Rows, subject: bytes, fragments: tuple[NodeKey, ...], since: int | None, rulebook: Rulebook) -> State | None:
    forget(rows, subject, 0 if since is None else since)
    found = list(rows.scan(CHECKPOINT, subject, end_of(subject)))
    for key, row in reversed(found):
        checkpoint = _DECODE(row)
        if (checkpoint.rulebook, checkpoint.fragments, checkpoint.format) == (rulebook.version, fragments, FORMAT):
            return checkpoint.state
        rows.put(CHECKPOINT, key, None)
    return None


def _put(rows: Rows, subject: bytes, fragments: tuple[NodeKey, ...], state: State, rulebook: Rulebook) -> None:
    assert state.newest is not None
    written = room.written(lambda fitting: _ENCODE(Checkpoint(rulebook.version, fragments, fitting)), state, empty(rulebook))
    rows.put(CHECKPOINT, subject + _at(max(state.newest[0], state.drained)), written)


def _at(instant: int) -> bytes:
    return max(instant, 0).to_bytes(8, "big")
