"""ERASE: a person is forgotten, at the root of its component.

Theory of operation. The person who holds the identifier is resolved; its touches, links and commands are deleted, and each of its identifiers gets
a mark in the component's past, up to an instant. What a mark makes void is void whenever it comes: a touch that is late, parked, replayed or lies in
a component that joins later. So the order in which an ERASE and the touches before it arrive does not matter. Pointers and membership of the
forest stay, which are keyed hashes; an identifier that was erased is a bare node, and may begin again with what occurs after its mark.

The rule this module owns: what is void is in no timeline and in no evidence once a handler is done. An interaction is void where it is anchored at an
erased identifier; and where it names one that was the person's own: unique or strong, or the one that the command named. A weak identifier
belongs to a thing that people share, a generic one to too many, and in a full component nobody knows whose one is: with these, others keep the
interactions that are anchored at their own.
"""

from collections import Counter

from msgspec import structs

from streams.identity import messages
from streams.identity.component import PARKED, PASSED, Component, Pair, ends, witness
from streams.identity.identifiers import keys
from streams.identity.messages import Apply, Erase, Forget
from streams.identity.past import Erasing, Mark, Past, Receipt, erasing, is_outdated, is_void
from streams.identity.policy import Policy
from streams.identity.resolve import resolve
from streams.identity.workspace import Story, Void, Workspace
from streams.instants import Instant
from streams.rows import AGED, NODE_KEY_BYTES, TIMELINE, NodeKey, Person, decode_touch, end_of

Deleted = Counter[str]
"""How many of what: interactions, totals, links, identifiers, commands, redirects."""


def erase(work: Workspace, root: NodeKey, message: Erase) -> None:
    """Erase the person who holds an identifier of this component; nothing where that was done by this command or a later one."""
    key, past = message.identifier, work.components[root].past
    known = None if past is None else past.erased.get(key)
    if known is not None and known.order >= message.order:
        return
    own, story = work.own(root), work.stories[root]
    person = _holder(own, work.policy, key)
    members = frozenset(person.members)
    deleted: Deleted = Counter(identifiers=len(members))
    until = max(message.at, _empty(work, own, story, person, deleted))
    redirects = tuple([member for member in person.members if own.past is not None and member in own.past.redirects])
    if redirects:
        deleted["redirects"] = len(redirects)
    marks = {member: Mark(until, message.order, _is_own(work, own, member, member == key)) for member in person.members}
    own.past = erasing(own.past, marks, redirects)
    sweep(work, root, deleted)
    if story.erasing is None:
        story.erasing = Erasing()
    story.erasing.members |= members
    story.erasing.swept.update(person.fragments)
    story.erasing.receipts.append(
        Receipt(key, until, message.order, person.canonical, person.members, redirects, dict(sorted(deleted.items())), message.audit)
    )
    story.unsettled = True
    for member, mark in sorted(marks.items()):
        work.emit(member, Forget(member, mark.until, mark.order, mark.own, ()))


def unlink(work: Workspace, key: NodeKey, message: Forget) -> None:
    """A node forgets what it was linked with; that it is shared by too many it keeps, for that is said of a value and not of a person.

    Those who named it and are linked to none of its type have interactions that are void now: they hear of it as well.
    """
    node = work.nodes[key]
    erased = max(node.erased or (0, 0), (message.until, message.order)) if message.own else node.erased
    if node.linked or erased != node.erased:
        work.write_node(key, structs.replace(node, linked=frozenset(), erased=erased))
    if message.own:
        for row, _ in list(work.rows.scan(PASSED, key, end_of(key))):
            work.emit(row[NODE_KEY_BYTES:], Forget(key, message.until, message.order, True, (), True))


def forget(work: Workspace, root: NodeKey, message: Forget) -> None:
    """Mark an identifier where its interactions come together; mostly that is the root of the person who was erased, and is done."""
    mark = Mark(message.until, message.order, message.own)
    marked = erasing(work.components[root].past, {message.identifier: mark})
    if marked != work.components[root].past:
        work.own(root).past = marked
        sweep(work, root)


def sweep(work: Workspace, root: NodeKey, receipt: Deleted | None = None) -> None:
    """Take out of a component all that its past makes void, wherever it came from; adds to a receipt, and where there is none to the workspace's void."""
    own, deleted = work.own(root), Counter() if receipt is None else receipt
    past = own.past
    if past is None or not past.erased:
        return
    story = work.stories[root]
    for fragment in sorted(_reached(own, past)):
        if _rest(work, own, story, past, fragment, deleted, receipt is None):
            story.unsettled = True
            if story.erasing is None:
                story.erasing = Erasing()
            story.erasing.swept.add(fragment)
    for both in [both for both, (order, _) in own.cannot.items() if is_outdated(past, ends(both), order)]:
        del own.cannot[both]
        deleted["commands"] += 1
        story.unsettled = True
    for both in [both for both, order in own.bound.items() if is_outdated(past, ends(both), order)]:
        del own.bound[both]
        deleted["commands"] += 1
        story.unsettled = True
    _unpark(work, root, own, past)


def _holder(component: Component, policy: Policy, key: NodeKey) -> Person:
    for person in resolve(component, policy).people:
        if key in person.members:
            return person
    return Person(key, (key,), ())


def _is_own(work: Workspace, component: Component, key: NodeKey, is_named: bool) -> bool:
    if component.full or any(seen[:NODE_KEY_BYTES] == key for seen in component.crowded):
        return False
    return key not in component.generic and (is_named or work.types[key[0]].strength != "weak")


def _empty(work: Workspace, own: Component, story: Story, person: Person, deleted: Deleted) -> Instant:
    """Delete a person's fragments with their links; the instant of its newest touch."""
    fragments, newest = set(person.fragments), 0
    for fragment in person.fragments:
        for key, touch in list(work.rows.scan(TIMELINE, fragment, end_of(fragment))):
            newest = max(newest, decode_touch(touch).occurred_at)
            work.rows.put(TIMELINE, key, None)
            deleted["interactions"] += 1
        if work.rows.get(AGED, (fragment,))[0] is not None:
            work.rows.put(AGED, fragment, None)
            deleted["totals"] += 1
        own.fragments.pop(fragment, None)
    coming = [applied for applied in story.applied if applied.fragment in fragments]
    if coming:
        newest = max([newest, *[applied.occurred_at for applied in coming]])
        story.applied = [applied for applied in story.applied if applied.fragment not in fragments]
        for applied in coming:
            work.refuse(applied.fragment, applied.uid, own.floor)
    deleted["links"] += _drop_links(own, fragments)
    return newest


def _drop_links(own: Component, fragments: set[NodeKey]) -> int:
    """Drop the links that the touches of some fragments had made."""
    links = [both for both in own.edges if both[:NODE_KEY_BYTES] in fragments]
    for both in links:
        del own.edges[both]
    return len(links)


def _reached(own: Component, past: Past) -> set[NodeKey]:
    """The fragments that may hold what is void."""
    found = {key for key in past.erased if key in own.fragments}
    if own.crowded:  # Their links are not kept: only their interactions say whom they name.
        types = {key[0] for key, mark in past.erased.items() if mark.own}
        found.update([seen[:NODE_KEY_BYTES] for seen in own.crowded if seen[-1] in types and seen[:NODE_KEY_BYTES] in own.fragments])
        for seen in own.crowded:
            mark = past.erased.get(seen[:NODE_KEY_BYTES])
            if mark is not None and mark.own:
                found.update([fragment for fragment in own.fragments if fragment[0] == seen[-1]])
    if own.full and any(mark.own for mark in past.erased.values()):  # Nor are all of its own.
        found.update(own.fragments)
    found.update([both[:NODE_KEY_BYTES] for both in own.edges if _is_void_link(own, past, both)])
    return found


def _is_void_link(own: Component, past: Past, both: Pair) -> bool:
    """Whether an interaction that made this link is void."""
    mark = past.erased.get(both[NODE_KEY_BYTES:])
    return mark is not None and mark.own and own.edges[both][0] <= mark.until


def _rest(work: Workspace, own: Component, story: Story, past: Past, fragment: NodeKey, deleted: Deleted, untold: bool) -> bool:
    """Delete what is void in a fragment, and read its links off what is left; whether anything was. `untold`: no receipt will tell of it."""
    left: list[tuple[tuple[NodeKey, ...], Instant]] = []
    stored = coming = 0
    for key, row in list(work.rows.scan(TIMELINE, fragment, end_of(fragment))):
        ids, occurred_at = _read(work.policy, fragment, row)
        if is_void(past, ids, occurred_at):
            work.rows.put(TIMELINE, key, None)
            stored += 1
            if untold:
                work.void.append(Void(fragment, key[NODE_KEY_BYTES:], own.floor, stood=True))
        else:
            left.append((ids, occurred_at))
    applied = []
    for one in story.applied:
        ids, occurred_at = _read(work.policy, fragment, one.touch) if one.fragment == fragment else ((), 0)
        if ids and is_void(past, ids, occurred_at):
            coming += 1
            work.refuse(fragment, one.uid, own.floor)
        else:
            applied.append(one)
            if ids:
                left.append((ids, occurred_at))
    has_totals = work.rows.get(AGED, (fragment,))[0] is not None
    only_known = (
        has_totals and fragment not in past.erased
    )  # What is in totals cannot be read again: all but links with who was erased stays.
    void = [both for both in own.edges if both[:NODE_KEY_BYTES] == fragment and _is_void_link(own, past, both)] if only_known else []
    if not stored and not coming and not void:
        return False
    story.applied = applied
    had = sum(both[:NODE_KEY_BYTES] == fragment for both in own.edges)
    if only_known:
        for both in void:
            del own.edges[both]
    else:
        own.fragments.pop(fragment, None)
        _drop_links(own, {fragment})
        if has_totals:  # What is in totals is older than what was void.
            work.rows.put(AGED, fragment, None)
            deleted["totals"] += 1
    for ids, occurred_at in left:
        witness(own, ids, occurred_at)
    deleted["links"] += had - sum(both[:NODE_KEY_BYTES] == fragment for both in own.edges)
    deleted["interactions"] += stored
    return True


def _read(policy: Policy, fragment: NodeKey, row: bytes) -> tuple[tuple[NodeKey, ...], Instant]:
    """The identifiers of a touch by key, its anchor first, and when it occurred."""
    touch = decode_touch(row)
    return tuple(sorted({fragment, *keys(policy, touch.identifiers)})), touch.occurred_at


def _unpark(work: Workspace, root: NodeKey, own: Component, past: Past) -> None:
    if not own.parked:
        return
    for key, row in list(work.rows.scan(PARKED, root, end_of(root))):
        message = messages.decode(row)
        if isinstance(message, Apply) and is_void(past, message.ids, message.occurred_at):
            work.rows.put(PARKED, key, None)
            own.parked -= 1
            work.refuse(message.anchor, message.uid, own.floor)
