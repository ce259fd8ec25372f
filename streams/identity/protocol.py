"""The identity protocol: one partition's part in a union-find forest that is spread over all of them.

Theory of operation. Every identifier is a node; pointers lead from greater keys to lesser ones, so they end at the least, the root. The root holds the
component: the evidence, and (by their keys, in the same partition) the rows of its customers. An EVENT tells each other identifier, once, to join
its anchor (UNION) and brings its touch to the anchor's root (APPLY). The greater of two roots hooks under the lesser and sends it all it has
(ABSORB); one that has nothing, as most new identifiers, only hooks. Components only ever join, nobody is asked anything, so every message may be late,
early or doubled; what comes to a root before the ABSORB that it climbed through waits there (PARKED).

The rule this module owns: a handler changes rows of one partition, sends, and never waits. A batch is one transaction: what it sends and what it
stores become visible together, so an ABSORB leaves in the batch that decides it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec import structs

from streams.boundary import Clock, Outgoing, Record, Rows
from streams.identity import commands, crowds, erasure, full, messages, moves, past, sweep
from streams.identity.changes import Conflict
from streams.identity.component import PARKED, Component, is_bare, join, news, witness
from streams.identity.messages import (
    Absorb,
    Apply,
    Ask,
    Bind,
    Cannot,
    Cause,
    Closed,
    Crowded,
    Erase,
    Event,
    Forget,
    Generic,
    Gone,
    Message,
    Path,
    Refused,
    Return,
    SetHome,
    Sweep,
    Time,
    Union,
)
from streams.identity.policy import Policy
from streams.identity.settling import Change, settle
from streams.identity.workspace import Applied, Carried, Story, Void, Workspace, ready
from streams.rows import NodeKey, end_of, touch_id

LINKED_MAX = 512
"""So many links does a node remember to have told of; one forgotten is told again, to no effect."""


class Advanced(NamedTuple):
    """What a batch of messages led to: messages to other partitions, components that changed, links refused, time records, counts, the
    interactions that erasures made void without a receipt, the commands that were carried out, and what the log is to say of a sweep."""

    send: list[Outgoing]
    changes: list[Change]
    conflicts: list[Conflict]
    times: list[Time]
    tally: dict[tuple[str, ...], int]
    void: Sequence[Void] = ()
    carried: Sequence[Carried] = ()
    news: str | None = None


def advance(records: Sequence[Record], rows: Rows, clock: Clock, policy: Policy) -> Advanced:
    """Handle a batch of the identity topic in one partition; rows are put, the touches that joined are the caller's to insert."""
    work = Workspace(rows, policy)
    times: list[Time] = []
    addressed: list[tuple[NodeKey, Message]] = []
    for record in records:
        assert record.value is not None
        message = messages.decode(record.value)
        if type(message) is Time:
            times.append(message)
        else:
            assert record.key is not None
            addressed.append((record.key, message))
    work.look_ahead(addressed)
    moves.look_ahead(work, {key: message.low for key, message in addressed if type(message) is Union})
    handled = Counter([type(message) for _, message in addressed])
    for key, message in addressed:
        HANDLERS[type(message)](work, key, message)
        _follow_up(work, handled)
    news = sweep.step(work, clock, not records)
    _follow_up(work, handled)
    for kind, count in handled.items():
        work.tally["kairos_identity_messages", kind.__name__.lower()] = count
    changed, conflicts = settle(work)
    work.write()
    return Advanced(work.send, changed, conflicts, times, dict(work.tally), work.void, work.carried, news)


def _follow_up(work: Workspace, handled: Counter[type[Message]]) -> None:
    """Deliver what this partition has sent to itself."""
    while work.queue:
        key, message = work.queue.popleft()
        HANDLERS[type(message)](work, key, message)
        handled[type(message)] += 1


def _event(work: Workspace, anchor: NodeKey, message: Event) -> None:
    node = work.nodes[anchor]
    others, linked = message.ids[1:], node.linked
    if others and not linked.issuperset(others):
        fresh = [other for other in others if other not in linked]
        node = crowds.meet(work, anchor, fresh)
        cause = (message.occurred_at, touch_id(message.touch))
        for other in fresh:
            work.emit(other, Union(anchor, anchor, cause, other[0] in node.crowded))
        known = linked if len(linked) < LINKED_MAX else frozenset[NodeKey]()
        work.write_node(anchor, structs.replace(node, linked=known.union(fresh)))
    return _admit(work, anchor, message, ()) if node.parent is None else _apply(work, anchor, message)


def _apply(work: Workspace, key: NodeKey, message: Event | Apply) -> None:
    root, path, here = work.climb(key, message.path if isinstance(message, Apply) else ())
    return _admit(work, root, message, path) if here else work.post(root, _as_apply(message, path))


def _admit(work: Workspace, root: NodeKey, message: Event | Apply, path: Path) -> None:
    component = work.components[root]
    if path and not ready(component, path):
        waiting = _as_apply(message, path)
        return None if full.onward(work, root, waiting) else moves.park(work, root, waiting)
    ids, occurred_at = message.ids, message.occurred_at
    if component.past is not None and past.is_void(component.past, ids, occurred_at):
        return work.refuse(message.anchor, message.uid, component.floor)
    if component.full:
        held = full.known(work, root, message)
        if held is None:
            return None
        ids = held
    story = work.stories[root]
    applied = Applied(message.anchor, message.uid, occurred_at, message.touch)
    story.applied.append(applied)
    told = news(component, ids, occurred_at)
    if told != "nothing":
        own = work.own(root)
        witness(own, ids, occurred_at)
        if full.size(own) > work.policy.component_size_max:
            full.look(work, root)
        if told == "new" and own.parted:
            full.part_from(work, own, ids)
        if told == "new" or not component.undisputed:
            story.unsettled = True
            story.news = applied
    return None


def _as_apply(message: Event | Apply, path: Path) -> Apply:
    return Apply(message.anchor, message.ids, message.uid, message.occurred_at, message.touch, path)


def _union(work: Workspace, high: NodeKey, message: Union) -> None:
    low, via = message.low, message.via
    if via is not None:
        node = crowds.meet(work, high, (via,))
        is_apart = message.passing or via[0] in node.crowded
        if (node.generic or work.types[via[0]].strength == "unique") and crowds.shared(work, high, via, is_apart):
            return
        if is_apart:
            crowds.passed(work, high, via, message.passing)
            return
    node = work.nodes[high]
    if low == high:
        return
    if node.parent is not None:
        if node.parent != low:
            low, high = sorted((node.parent, low))
            work.emit(high, Union(low, None, message.cause))
    elif low < high:
        _hook(work, high, low, message.cause)
    elif not full.refuses(work, high, low):
        work.emit(low, Union(high, None, message.cause))


def _hook(work: Workspace, child: NodeKey, low: NodeKey, cause: Cause | None) -> None:
    """A root becomes the child of a lesser node: all it has goes to the root above."""
    known = None if work.is_unknown(child) else work.components[child]
    if known is None or is_bare(known):
        work.drop(child)
        work.write_node(child, structs.replace(work.nodes[child], parent=low, bare=True))
        work.tally["kairos_identity_hooked",] += 1
        return
    if full.refuses(work, child, low):
        return
    story = work.stories[child]
    story.cause = cause or story.cause
    root, path, here = work.climb(low, ()) if work.rows.holds(low) else (low, (), False)
    above = work.components[root] if here else None
    if above is not None and full.refuses(work, root, child):
        return
    if above is not None and ready(above, path) and child not in above.members:
        waiting = moves.take_parked(work, child)
        work.drop(child)
        work.write_node(child, structs.replace(work.nodes[child], parent=root))
        work.tally["kairos_identity_absorbed", "local"] += 1
        _absorbed(work, root, child, known, story, waiting)
        return
    turn = max(known.floor, work.nodes[child].turn)  # Above that of every move that was undone, also where all it had was erased since.
    body = moves.pack(work, child)
    work.write_node(child, structs.replace(work.nodes[child], parent=low, turn=turn))
    for part in moves.slices(child, body, (), turn):
        work.emit(low, part)


def _absorb(work: Workspace, key: NodeKey, message: Absorb) -> None:
    body = moves.gather(work, key, message)
    if body is None:
        return
    root, path, here = work.climb(key, message.path)
    child = message.child
    if not here:
        for part in moves.slices(child, body, path, message.turn):
            work.post(root, part)
        return
    component = work.components[root]
    if not ready(component, path):
        parts = moves.slices(child, body, path, message.turn)
        if not all(full.onward(work, root, part) for part in parts):  # All go the same way.
            moves.expect_again(work, root, message)
            for part in parts:
                moves.park(work, root, part)
    elif child not in component.members and full.look(work, root):
        full.send_back(work, root, message, body)
    elif child not in component.members and not full.was_sent_back(work, root, message):
        absorbed, story, waiting = moves.unpack(work, body)
        work.tally["kairos_identity_absorbed", "remote"] += 1
        _absorbed(work, root, child, absorbed, story, waiting)


def _return(work: Workspace, key: NodeKey, message: Return) -> None:
    """One that hooked under a component that was full is a root again, with all that it gave away; one that is a root already was told before."""
    body = moves.gather(work, key, message)
    node = work.nodes[key]
    if body is None or node.parent is None or node.bare != (not body) or (body and node.turn != message.turn):
        return
    turn = node.turn + 1 if body else node.turn  # Should this RETURN come twice, it is of no move of what is joined with another here.
    work.write_node(key, structs.replace(node, parent=None, bare=False, turn=turn))
    if body:
        work.emit(node.parent, Gone(key, (), message.turn))
        absorbed, story, waiting = moves.unpack(work, body)
        _absorbed(work, key, key, absorbed, story, waiting)
    full.part(work, key)


def _absorbed(work: Workspace, root: NodeKey, child: NodeKey, component: Component, story: Story, waiting: list[bytes]) -> None:
    """Join a component and its story into the root's, show its members the way, and deliver what waited for it."""
    own = work.own(root)
    if own.parted != component.parted:
        full.part_from_others(work, component if own.parted else own)
    join(own, component)
    work.stories[root].join(story)
    if own.past is not None:
        erasure.sweep(work, root)
    full.look(work, root)
    for member in sorted(component.members):
        if member != child:
            work.emit(member, SetHome(root))
    for message in waiting:
        moves.park(work, root, messages.decode(message))
    _drain(work, root)


def _drain(work: Workspace, root: NodeKey) -> None:
    component = work.components[root]
    if not component.parked:
        return
    for key, row in list(work.rows.scan(PARKED, root, end_of(root))):
        message = messages.decode(row)
        assert isinstance(message, Apply | Absorb | Generic | Crowded | Cannot | Bind | Ask | Erase | Forget | Gone | Refused)
        if ready(component, message.path):
            work.rows.put(PARKED, key, None)
            work.own(root).parked -= 1
            work.emit(root, message)


def _set_home(work: Workspace, key: NodeKey, message: SetHome) -> None:
    node = work.nodes[key]
    if node.parent is not None and message.home < node.parent:
        work.write_node(key, structs.replace(node, parent=message.home))


HANDLERS: dict[type[Message], Callable[[Workspace, NodeKey, Any], None]] = {
    Event: _event,
    Apply: _apply,
    Union: _union,
    Absorb: _absorb,
    Return: _return,
    Closed: full.close,
    SetHome: _set_home,
    Generic: commands.generic,
    Crowded: crowds.crowded,
    Cannot: commands.cannot,
    Bind: commands.link,
    Ask: commands.ask,
    Erase: commands.erase,
    Forget: commands.forget,
    Gone: commands.gone,
    Refused: commands.refused,
    Sweep: sweep.go_on,
}
"""What each message does at the node it addresses; a Time addresses none."""
