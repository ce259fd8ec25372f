"""Known mistakes, put back into the product one at a time: a simulator that does not catch them proves nothing.

The rule this module owns: a mutation is a patch of the product, or of the order in which a batch ends, and is gone when it ends. Each carries the
sentence of the design that warns of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple
from unittest.mock import patch
from zlib import crc32

from msgspec import structs

from streams.engine.journal import END_KEY, Journal
from streams.engine.overlay import Change
from streams.identity import component, counts, crowds, full, messages, moves, past, protocol, resolve, sweep
from streams.identity.messages import Message
from streams.identity.workspace import Workspace
from streams.rows import NodeKey
from tests.simulation import workers
from tests.simulation.cut import Cut

Patch = Callable[[], AbstractContextManager[Any]]
WITHOUT_TRANSACTIONS = (("guarantee", "at_least_once"),)


class Mutation(NamedTuple):
    """A mistake: the sentence that says it, what puts it into the product, and what is other in the world in which it shows."""

    trap: str
    patch: Patch
    settings: tuple[tuple[str, int | float | str], ...] = ()

    @property
    def cut(self) -> Cut:
        """The whole of a seed, in that world."""
        return Cut(settings=self.settings)


@contextmanager
def applied(name: str | None) -> Iterator[None]:
    """With a mutation in the product; None: as it is."""
    with nullcontext() if name is None else MUTATIONS[name].patch():
        yield


def _in_place(self: Workspace, key: NodeKey, message: Message) -> None:
    if self.rows.holds(key):
        protocol.HANDLERS[type(message)](self, key, message)
    else:
        self.post(key, message)


def _drain_all(work: Workspace, root: NodeKey) -> None:
    if not work.components[root].parked:
        return
    waiting = moves.take_parked(work, root)
    work.own(root).parked = 0
    for row in waiting:
        message: Any = messages.decode(row)
        if protocol.ready(work.components[root], message.path):
            work.emit(root, message)


_ADMIT = protocol._admit


def _admit_at_once(work: Workspace, root: NodeKey, message: Any, path: Sequence[NodeKey]) -> None:
    _ADMIT(work, root, message, ())


def _read_all(self: Journal, records: Sequence[Any], next_offset: int) -> tuple[list[Change], int]:
    """Every row counts, also of a write that was torn; the position is that of the last end."""
    ends = [record.value for record in records if record.key == END_KEY]
    if ends:
        self.begin(ends[-1])
    self.offset = next_offset
    return [Change(record.key, False, record.value) for record in records], next_offset


def _joined_once(known: past.Past | None, other: past.Past | None) -> past.Past | None:
    return known or other


def _forbid_last(one: component.Component, both: bytes, order: int, apart: bool) -> bool:
    one.cannot[both] = (order, apart)
    return True


_LAW = resolve.law


def _windowless(policy: Any) -> resolve.Law:
    return _LAW(policy)._replace(windows={})


_JUDGED, _SLICE = counts.judged, sweep._slice


def _in_no_order(key: bytes, node: component.Node, types: Any) -> component.Node:
    now = _JUDGED(key, node, types)
    return now if now.order == node.order else structs.replace(now, order=node.order)


def _too_far(work: Workspace, stands: sweep.Swept, is_told: bool) -> sweep.Swept:
    now = _SLICE(work, stands, is_told)
    return (
        now if now.at is None or len(now.at) < 3 else structs.replace(now, at=now.at[:2] + bytes([min(255, now.at[2] + 64)]) + now.at[3:])
    )


def _ending(*steps: workers.Named) -> Patch:
    return lambda: patch.dict(workers.ENDINGS, {"at_least_once": steps})


MUTATIONS: Mapping[str, Mutation] = {
    "stale_row": Mutation(
        "writing a row read before an in-place send",
        lambda: patch.object(Workspace, "emit", _in_place),
    ),
    "parked_cleared_first": Mutation(
        "clearing `parked` before applying it",
        lambda: patch.object(protocol, "_drain", _drain_all),
    ),
    "linked_before_union": Mutation(
        "storing `linked` before UNION is out",
        _ending(workers.BEGIN, workers.ROWS, workers.OUTPUTS, workers.STORE, workers.OFFSET),
        WITHOUT_TRANSACTIONS,
    ),
    "apply_without_parking": Mutation(
        "APPLY without parking",
        lambda: patch.object(protocol, "_admit", _admit_at_once),
    ),
    "absorb_before_pointer": Mutation(
        "ABSORB before the pointer is durable",
        _ending(workers.BEGIN, workers.OUTPUTS, workers.OFFSET, workers.ROWS, workers.STORE),
        WITHOUT_TRANSACTIONS,
    ),
    "torn_rows_count": Mutation(
        "torn batches lose links",
        lambda: patch.object(Journal, "read", _read_all),
        WITHOUT_TRANSACTIONS,
    ),
    "other_partitioner": Mutation(
        "producers that do not partition with murmur2",
        lambda: patch("tests.simulation.world.partition_of", lambda key, partitions: crc32(key) % partitions),
    ),
    "zombie_not_fenced": Mutation(
        "a zombie is fenced",
        lambda: patch.object(workers, "check", lambda world, ending, share: None),
    ),
    "marks_not_joined": Mutation(
        "what is void is void whenever it comes",
        lambda: patch.object(component, "joined", _joined_once),
    ),
    "last_command_wins": Mutation(
        "commands are last-writer-wins by their order, not by their arrival",
        lambda: patch("streams.identity.commands.forbid", _forbid_last),
    ),
    "limit_without_window": Mutation(
        "windows count against the component's greatest event time",
        lambda: patch("streams.identity.workspace.law", _windowless),
    ),
    "crowd_of_one_bucket": Mutation(
        "crowds count distinct neighbours",
        lambda: patch.object(crowds, "NAME_BYTES", 1),
    ),
    "logins_are_somebodys": Mutation(
        "a login that was seen on things of too many others has none",
        lambda: patch.object(resolve, "_of_somebody", lambda weak, *_: weak),
    ),
    "full_keeps_waiting": Mutation(
        "what climbs to a full root by way of one who was sent back goes on to that one",
        lambda: patch.object(full, "onward", lambda work, root, message: False),
    ),
    "full_tells_nobody": Mutation(
        "who is named by a full component and did not come is told, so that an erasure is heard of",
        lambda: patch.object(full, "part_from_others", lambda work, component: None),
    ),
    "policy_without_a_sweep": Mutation(
        "whom nobody meets again is resolved under the new policy as well",
        lambda: patch.object(sweep, "_slice", lambda work, stands, is_told: structs.replace(stands, at=None)),
    ),
    "counts_stay": Mutation(
        "what was counted is judged by the new numbers",
        lambda: patch.object(sweep, "judged", lambda key, node, types: node),
    ),
    "unmarked_in_no_order": Mutation(
        "a mark that was under way when its value was no longer shared does not hold against that",
        lambda: patch.object(sweep, "judged", _in_no_order),
        (("switch", "shared by more"), ("neighbours_max", 0)),
    ),
    "sweep_goes_too_far": Mutation(
        "a sweep goes on where the last commit was",
        lambda: patch.object(sweep, "_slice", _too_far),
    ),
}
"""By name: the traps of the design, then others with which the laws that these do not touch show their teeth.

One trap has none: ABSORB without the path check. What comes early joins the same evidence once more, so no law of a whole world is broken by it;
`tests/identity/test_moves.py` asks for the check itself."""
