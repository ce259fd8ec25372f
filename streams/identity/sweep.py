"""The sweep: under a policy that a partition did not have before, all that it holds is judged anew.

Theory of operation. A row of the partition says under which policy all its components are resolved. A worker with another one begins a sweep: first through
its nodes, what they counted is judged by the new numbers (counts.py) and their roots are told as if it had just been counted; then through its
components, each is resolved anew, and where people or refusals are other they are settled like any whose evidence changed. What comes while it goes on
is resolved under the new policy anyway, so wherever a component is when its turn has passed, it is resolved under it.

The rule this module owns: a slice is bounded, and how far the sweep is is written in the batch of the slice; so a worker that dies goes on where the last
commit was. It goes on by a message of the partition to itself, which waits behind what else there is to do, and at every tick: what comes in is never
held up by more than a slice a second. A policy that was in force here a short while ago is another worker's of a restart still under way, or a step
back: it has to wait for its sweep.
"""

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from streams.boundary import Clock, Gauges, Kind, Rows
from streams.identity import changes, crowds, full
from streams.identity.component import COMPONENT, NODE, Component, settled
from streams.identity.counts import judged
from streams.identity.messages import Generic, Sweep
from streams.identity.policy import PolicyError, ranked, version
from streams.identity.resolve import resolve_by
from streams.identity.workspace import Workspace
from streams.instants import MINUTE, SECOND, Instant
from streams.rows import NODE_KEY_BYTES, NodeKey

LOOKED_MAX = 250
"""So many nodes, or components with their links, are looked at in a slice;"""
CHANGED_MAX = 10
"""and so many are found to be other: these cost what a merge or a split does."""
PATIENCE = 15 * MINUTE
"""So long after another took its place, a policy that comes back has to wait before all is resolved under it again."""
SAID_EVERY = 10 * SECOND
R = TypeVar("R")
_SAMPLE = 64
_END = b"\xff" * (NODE_KEY_BYTES + 1)


class Swept(Struct, array_like=True, frozen=True):
    """Under which policy (its version, and its types by rank) a partition's components are resolved, or are being resolved.

    `at`: the row at which to go on, by its kind and key; None: all are. `turn` tells one sweep from another, `began` is when it did. `looked`: how many rows
    were, of about `total`, of which `changed` are other. `left`: the policy before. `waits`: until when this one has to; 0: it has not. `said`: when progress
    was last told.
    """

    policy: str
    types: tuple[str, ...]
    turn: int = 0
    began: Instant = 0
    at: bytes | None = None
    looked: int = 0
    changed: int = 0
    total: int = 0
    left: str = ""
    waits: Instant = 0
    said: Instant = 0
    format: int = 1


SWEPT: Kind[Swept] = Kind("swept", b"v", msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Swept).decode)
"""Key: b"". A partition that never held anything has none."""
PARTITION = b""


def go_on(work: Workspace, _: NodeKey, message: Sweep) -> None:
    """The partition told itself to: once all else in the batch is done."""
    work.sweeping = message.turn


def step(work: Workspace, clock: Clock, is_tick: bool) -> str | None:
    """Judge a slice anew, where not all is resolved under the policy in force; what the log is to say of it."""
    (stood,) = work.rows.get(SWEPT, (PARTITION,))
    name = version(work.policy)
    stands = stood if stood is not None and stood.policy == name else _begun(work, clock, name, stood, is_tick)
    if stands is None or (stands.at is None and stands is stood):
        return None
    begins = stands is not stood
    if stands.at is not None and stands.waits and clock.now >= stands.waits:
        stands, begins = structs.replace(stands, waits=0, began=clock.now), True
    if stands.at is not None and not stands.waits and (is_tick or begins or work.sweeping == stands.turn):
        stands = _slice(work, stands, begins or work.sweeping == stands.turn)
    if stands is stood:
        return None
    news = _news(stands, clock, begins)
    work.rows.put(SWEPT, PARTITION, stands if news is None else structs.replace(stands, said=clock.now))
    return news


def gauges(rows: Rows) -> Gauges:
    """How many rows are still to be judged under the policy in force, about."""
    (stands,) = rows.get(SWEPT, (PARTITION,))
    left = 0 if stands is None or stands.at is None else max(1, stands.total - stands.looked)
    return {("kairos_identity_sweep_left",): left}


def _begun(work: Workspace, clock: Clock, name: str, stood: Swept | None, is_tick: bool) -> Swept | None:
    """Where a sweep begins; None where there is nothing and nothing came. PolicyError where what there is says nothing under the policy in force."""
    types = tuple([kind.name for kind in ranked(work.policy.types)])
    if stood is None:
        if next(work.rows.scan(NODE, b"", _END), None) is None and next(work.rows.scan(COMPONENT, b"", _END), None) is None:
            return None if is_tick else Swept(name, types)
        stood = Swept("", types)
    if types[: len(stood.types)] != stood.types:
        raise PolicyError(
            f"types: by priority and name these are {', '.join(types)}; the keys of all rows were made with {', '.join(stood.types)}, so nobody who is "
            "known would be known under it"
        )
    back = stood.began + PATIENCE if name == stood.left and not stood.waits else 0
    waits = back if clock.now < back else 0
    return Swept(name, types, stood.turn + 1, clock.now, NODE.tag, 0, 0, _estimate(work.rows, len(types)), stood.policy, waits, clock.now)


def _estimate(rows: Rows, types: int) -> int:
    """About how many nodes and components there are: keys are hashes, so a few of a type say how close all of them lie."""
    return sum(_count(rows, NODE, code) + _count(rows, COMPONENT, code) for code in range(types))


def _count(rows: Rows, kind: Kind[R], code: int) -> int:
    found = [key for key, _ in islice(rows.scan(kind, bytes([code]), bytes([code + 1])), _SAMPLE)]
    return len(found) if len(found) < _SAMPLE else round(_SAMPLE * (1 << 64) / (int.from_bytes(found[-1][1:9], "big") + 1))


def _slice(work: Workspace, stands: Swept, is_told: bool) -> Swept:
    """Judge some rows anew, from where the sweep stands; `is_told`: this batch sends on the message by which it goes on."""
    assert stands.at is not None
    weight = cost = looked = changed = 0
    at: bytes | None = None
    for row, its_weight, its_cost in _judged(work, stands.at):
        looked, changed = looked + 1, changed + bool(its_cost)
        weight, cost = weight + its_weight, cost + its_cost
        if weight >= LOOKED_MAX or cost >= CHANGED_MAX:
            at = row + b"\0"
            if is_told:
                work.post(row[1:], Sweep(stands.turn))
            break
    return structs.replace(stands, at=at, looked=stands.looked + looked, changed=stands.changed + changed)


def _judged(work: Workspace, at: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The rows from one on, by kind and key, as each is judged: how much it was to look at, and what its being other costs (0: it is the same)."""
    if at[:1] == NODE.tag:
        yield from _nodes(work, at[1:])
        at = COMPONENT.tag
    yield from _components(work, at[1:])


def _nodes(work: Workspace, first: bytes) -> Iterator[tuple[bytes, int, int]]:
    for key, stored in work.rows.scan(NODE, first, _END):
        node = work.node_now(key, stored)
        now = judged(key, node, work.types)
        cost = 0
        if now is not node:
            work.write_node(key, now)
            crowds.tell(work, key, now, now.crowded - node.crowded)
            if now.generic != node.generic:
                work.emit(key, Generic(key, True, (), None, now.generic, now.order))
                cost = 1 if now.generic else CHANGED_MAX  # Whom it met meanwhile is told as well.
        work.tally["kairos_identity_swept", "node", "other" if cost else "same"] += 1
        yield NODE.tag + key, 1, cost


def _components(work: Workspace, first: bytes) -> Iterator[tuple[bytes, int, int]]:
    for root, stored in work.rows.scan(COMPONENT, first, _END):
        component = work.component_now(root, stored)
        is_other = component is not None and _is_other(work, root, component)
        if is_other:
            work.own(root)
            work.stories[root].unsettled = True
        work.tally["kairos_identity_swept", "component", "other" if is_other else "same"] += 1
        yield COMPONENT.tag + root, 1 + len(stored.edges), int(is_other)


def _is_other(work: Workspace, root: NodeKey, component: Component) -> bool:
    """Whether people, or what is refused, are other than was settled; or it is larger than a component may be now."""
    if not component.full and full.size(component) > work.policy.component_size_max:
        return full.look(work, root)
    people, refused, _ = resolve_by(work.law, component)
    if tuple([person for person in people if person.fragments]) != settled(component):
        return True
    return any(changes.fingerprint(link) not in component.said for link in refused)


def _news(stands: Swept, clock: Clock, begins: bool) -> str | None:
    """What is worth a line in the log: that it begins, how far it is every few seconds, that it is done."""
    if stands.waits:
        return f"policy {stands.policy} was in force here a short while ago: all is resolved under it again in {_seconds(stands.waits - clock.now)}"
    done = f"{stands.looked:,} of about {max(stands.total, stands.looked):,} rows are judged under policy {stands.policy}, {stands.changed:,} are other"
    if stands.at is None:
        return f"{stands.looked:,} rows are judged under policy {stands.policy}, {stands.changed:,} were other" if stands.looked else None
    if begins:
        return f"the policy has changed: {done}"
    if clock.now - stands.said < SAID_EVERY:
        return None
    left = (clock.now - stands.began) * max(0, stands.total - stands.looked) // max(1, stands.looked)
    return f"{done}; done in about {_seconds(left)}"


def _seconds(duration: int) -> str:
    return f"{max(1, round(duration / SECOND)):,} s"
