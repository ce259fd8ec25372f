"""A component that is full takes in nobody: the last resort, before its row is larger than a record may be.

Theory of operation. Crowds bound what one identifier links; a chain of very many, each seen with few, still grows one component without end. Above
the policy's `component_size_max` its root is *full*, for good. It keeps no link that it does not have and hooks under nobody, and its identifiers are
told that they are crowded with everything (crowds.py). Whoever hooked under it before they knew is sent back: a component that came with an ABSORB
returns as it was to its own node, which is a root again; an identifier that had nothing is one once something of its own comes. What climbs to a full
root on their behalf goes on to them. Two whom one interaction names may so be parted without either knowing of it; so a component that was sent back
or refused is *parted* for good: it tells whom its interactions name that they met and nothing links them, and then hears of their erasure.

The rule this module owns: who is full is decided at the root, in the batch in which it becomes so, however many messages wait; so no row grows
further, nothing waits for ever, no interaction is lost or in two people. Whoever lets a component grow, joins two or names somebody new asks at once
(`look`), so none is above the bound and not full. Whom it had before and whom it sends back depends on the order of arrival: of a component that is
full, and only there, people are not a function of the evidence alone. It is told once, as a conflict.
"""

from msgspec import structs

from streams.identity import erasure, messages, moves
from streams.identity.component import PARKED, REFUSED, Component, ends
from streams.identity.messages import (
    Absorb,
    Apply,
    Ask,
    Bind,
    Cannot,
    Closed,
    Crowded,
    Erase,
    Event,
    Forget,
    Generic,
    Gone,
    Refused,
    Return,
    Union,
)
from streams.identity.past import erasing
from streams.identity.workspace import Workspace
from streams.rows import NodeKey, end_of

TURN_BYTES = 8
_ONCE_MORE = 1 << 32
"""What is added to a move's turn when it is sent on: a component's versions are fewer."""
Waiting = Apply | Absorb | Ask | Bind | Cannot | Generic | Crowded | Erase | Forget | Gone | Refused
"""What may wait at a root for somebody through whom it climbed."""
_NOTHING = b""
"""The body of a RETURN to an identifier that had nothing."""


def size(component: Component) -> int:
    """How many identifiers, links and marks of who is shared by too many it has: what its row grows with."""
    return len(component.edges) + len(component.members) + len(component.crowded) + len(component.generic)


def look(work: Workspace, root: NodeKey) -> bool:
    """Whether a component is full, which it is from now on if it has become too large."""
    component = work.components[root]
    if component.full or size(component) <= work.policy.component_size_max:
        return component.full
    work.own(root).full = True
    work.stories[root].unsettled = True
    for member in sorted(component.members):
        work.emit(member, _closed(component, member))
    part_from_others(work, component)
    return True


def refuses(work: Workspace, root: NodeKey, other: NodeKey) -> bool:
    """Whether a component is full and so is linked with nobody; who asked then hears of those who were erased here, for it may have named them, and
    tells whom it names: one that hooked under this component may be sent back, and be erased as its own only then."""
    if not look(work, root):
        return False
    _tell_erased(work, root, other)
    work.emit(other, Refused(()))
    return True


def close(work: Workspace, key: NodeKey, message: Closed) -> None:
    """An identifier of a full component: it is crowded with every type, for whoever meets it from now on."""
    node = work.nodes[key]
    erased = node.erased if message.erased is None else max(node.erased or (0, 0), message.erased)
    work.write_node(key, structs.replace(node, neighbours=frozenset(), crowded=frozenset(range(len(work.types))), erased=erased))


def known(work: Workspace, root: NodeKey, message: Event | Apply) -> tuple[NodeKey, ...] | None:
    """Of a touch at a full root the identifiers that are linked with its anchor already; None where that does not belong, and was sent back with it."""
    component = work.components[root]
    if not _belongs(component, message.anchor):
        _send_back_bare(work, root, message.anchor)
        on = Apply(message.anchor, message.ids, message.uid, message.occurred_at, message.touch, ())
        work.emit(message.anchor, on)
        return None
    anchor = message.anchor
    if anchor not in component.members:
        work.emit(anchor, _closed(component, anchor))
    linked = [other for other in message.ids[1:] if anchor + other in component.edges]
    for other in message.ids[1:]:
        if other not in linked:
            work.emit(other, Union(anchor, anchor, None, True))
    return (anchor, *linked)


def diverted(work: Workspace, root: NodeKey, message: Bind | Cannot | Generic | Crowded | Ask | Erase | Forget | Gone | Refused) -> bool:
    """Whether a message at a full root is about an identifier that does not belong: it goes on to that one, or, where it only says what nothing here
    is linked with, nowhere."""
    component = work.components[root]
    if not component.full or isinstance(message, Bind | Cannot | Gone | Refused) or (isinstance(message, Forget) and message.met):
        return False
    if _belongs(component, message.identifier):
        return False
    if not isinstance(message, Generic | Crowded) or message.own:
        _send_back_bare(work, root, message.identifier)
        work.emit(message.identifier, structs.replace(message, path=()))
    return True


def onward(work: Workspace, root: NodeKey, message: Waiting) -> bool:
    """Whether a message that waits for somebody at a root climbed there by way of one who was sent back: then it goes on to that one."""
    component = work.components[root]
    strangers = [passed for passed in message.path if passed not in component.members]
    rows = work.rows.get(REFUSED, [root + passed for passed in strangers])
    home = next((passed for passed, row in zip(strangers, rows, strict=True) if row is not None), None)
    if home is None:
        return False
    rest = tuple([passed for passed in strangers if passed != home])
    if isinstance(message, Absorb):  # It may have been put together at this node before.
        work.emit(home, structs.replace(message, path=rest, turn=message.turn + _ONCE_MORE))
    else:
        work.emit(home, structs.replace(message, path=rest))
    return True


def send_back(work: Workspace, root: NodeKey, message: Absorb, body: bytes) -> None:
    """A component that came to a full root returns to its own node; so does what waited here for it."""
    child = message.child
    _note_turn(work, root, child, message.turn % _ONCE_MORE)
    work.tally["kairos_identity_returned",] += 1
    for part in moves.slices(root, body, (), message.turn % _ONCE_MORE):
        work.emit(child, Return(root, part.part, part.parts, part.body, part.turn))
    _tell_erased(work, root, child)
    past = moves.past_of(body)
    if past is not None and past.erased:  # Those whom it turns away later may have named them.
        work.own(root).past = erasing(work.components[root].past, past.erased)
        erasure.sweep(work, root)
    release(work, root)


def gone(work: Workspace, root: NodeKey, child: NodeKey, turn: int) -> None:
    """One that pointed to this root is a root itself again: its move of that turn was undone."""
    if child not in work.components[root].members:
        _note_turn(work, root, child, turn)
        release(work, root)


def was_sent_back(work: Workspace, root: NodeKey, message: Absorb) -> bool:
    """Whether a component that comes has returned from this very move before: the ABSORB comes twice, first while this root was none."""
    row = work.rows.get(REFUSED, [root + message.child])[0]
    return row is not None and len(row) == TURN_BYTES and int.from_bytes(row, "big") >= message.turn % _ONCE_MORE


def release(work: Workspace, root: NodeKey) -> None:
    """Let what waits at a root for somebody who was sent back go on to that one."""
    if not work.components[root].parked:
        return
    for key, row in list(work.rows.scan(PARKED, root, end_of(root))):
        waiting = messages.decode(row)
        assert isinstance(waiting, Waiting)
        if onward(work, root, waiting):
            if isinstance(waiting, Absorb):
                moves.expect_no_more(work, root, waiting)
            work.rows.put(PARKED, key, None)
            work.own(root).parked -= 1


def part(work: Workspace, root: NodeKey) -> None:
    """A component that one which is full is not linked with: whom its interactions name is told, now and with each link that is still to come."""
    component = work.components[root]
    if not component.full and not component.parted:
        work.own(root).parted = True
        part_from_others(work, component)


def part_from(work: Workspace, component: Component, ids: tuple[NodeKey, ...]) -> None:
    """Tell those whom an interaction names (its anchor first) and who did not come, as `part_from_others` does."""
    for other in ids[1:]:
        if other not in component.members:
            work.emit(other, Union(ids[0], ids[0], None, True))


def part_from_others(work: Workspace, component: Component) -> None:
    """Tell those whom interactions of this component name and who did not come that they may never be linked: so an erasure of theirs is heard of."""
    for both in sorted(component.edges):
        left, right = ends(both)
        if right not in component.members:
            work.emit(right, Union(left, left, None, True))


def _tell_erased(work: Workspace, root: NodeKey, other: NodeKey) -> None:
    past = work.components[root].past
    for identifier, mark in sorted(past.erased.items()) if past is not None else ():
        if mark.own:
            work.emit(other, Forget(identifier, mark.until, mark.order, True, (), True))


def _closed(component: Component, member: NodeKey) -> Closed:
    mark = None if component.past is None else component.past.erased.get(member)
    return Closed((mark.until, mark.order) if mark is not None and mark.own else None)


def _send_back_bare(work: Workspace, root: NodeKey, identifier: NodeKey) -> None:
    work.tally["kairos_identity_returned",] += 1
    work.emit(identifier, Return(root, 0, 1, _NOTHING))


def _note_turn(work: Workspace, root: NodeKey, child: NodeKey, turn: int) -> None:
    before = work.rows.get(REFUSED, [root + child])[0]
    row = turn.to_bytes(TURN_BYTES, "big")
    work.rows.put(REFUSED, root + child, row if before is None or len(before) != TURN_BYTES else max(before, row))


def _belongs(component: Component, identifier: NodeKey) -> bool:
    return identifier in component.members or any(identifier in ends(both) for both in component.edges)
