"""Commands at a root: keep two apart or no longer, a value links nobody, forget a person; and what came of each.

The rule this module owns: a command that names who gave it is answered where it is carried out, with who the customers were just before and are since.
One that comes twice is not answered twice; one that comes after a later one is told to be late. A pair that is still two components' is kept apart, and
answered, in each.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

from msgspec import structs

from streams.identity import erasure, full, moves, past
from streams.identity.component import MET, Component, bind, forbid, is_bound, mark, pair
from streams.identity.messages import Ask, Bind, Cannot, Crowded, Erase, Forget, Generic, Gone, Refused, Union
from streams.identity.resolve import resolve
from streams.identity.workspace import Carried, Workspace, ready
from streams.rows import NODE_KEY_BYTES, NodeKey, Person, end_of

MET_MAX = 1_000
"""So many of those who met an identifier are told in one batch that it links again; the partition sends itself a message to go on."""
M = TypeVar("M", Ask, Bind, Cannot, Generic, Crowded, Erase, Forget, Gone, Refused)
Command = Ask | Bind | Cannot | Generic | Erase
NOBODY: Sequence[Person] = ()


def generic(work: Workspace, key: NodeKey, message: Generic) -> None:
    """A value is shared by too many: it links nobody, now and in what comes; or it links again. Where somebody says so, its node learns it before its
    root does."""
    identifier = message.identifier
    if message.order and key == identifier:
        if message.order > work.nodes[key].order:
            work.write_node(key, structs.replace(work.nodes[key], unique=frozenset(), generic=message.marked, order=message.order))
        if not message.marked and message.order == work.nodes[key].order and not work.nodes[key].generic:
            _link_again(work, key, message)
    root = at_root(work, key, message)
    if root is None:
        return
    component = work.components[root]
    before = _asked(work, component, message)
    own = message.own and identifier not in component.members
    if own or (message.order, message.marked) != component.said_generic.get(identifier, (0, identifier in component.generic)):
        component = work.own(root)
        changed = mark(component, identifier, message.order, message.marked)
        if own:
            component.members.add(identifier)
        if own or changed or not message.marked:  # Also what was only counted at the root links again.
            work.stories[root].unsettled = True
            full.look(work, root)
    holds = not message.order or component.said_generic.get(identifier) == (message.order, message.marked)
    _answer(work, component, message, (identifier,), before, holds)


def _link_again(work: Workspace, key: NodeKey, message: Generic) -> None:
    """Tell those who met an identifier while it linked nobody, a slice at a time, and join it with them."""
    met = list(islice(work.rows.scan(MET, key, end_of(key)), MET_MAX + 1))
    for row, _ in met[:MET_MAX]:
        via = row[NODE_KEY_BYTES:]
        work.rows.put(MET, row, None)
        work.emit(via, Generic(key, False, (), None, False, message.order))
        work.emit(key, Union(via, None, None))
    if len(met) > MET_MAX:
        work.post(key, Generic(key, True, (), None, False, message.order))


def cannot(work: Workspace, key: NodeKey, message: Cannot) -> None:
    """Two identifiers are nobody's together, or may be again."""
    root = at_root(work, key, message)
    if root is None:
        return
    component, both = work.components[root], pair(*message.pair)
    said = (message.order, message.apart)
    if component.cannot.get(both) == said:
        return
    before = _asked(work, component, message)
    outdated = past.is_outdated(component.past, message.pair, message.order)
    if not outdated and forbid(work.own(root), both, message.order, message.apart):
        work.stories[root].unsettled = True
    component = work.components[root]
    _answer(
        work,
        component,
        message,
        message.pair,
        before,
        holds=component.cannot.get(both) == said and message.order >= component.bound.get(both, -1),
    )


def link(work: Workspace, key: NodeKey, message: Bind) -> None:
    """Two identifiers are one person's, whatever the evidence says. Where they are two components', these have been told to become one."""
    root = at_root(work, key, message)
    if root is None:
        return
    component, both = work.components[root], pair(*message.pair)
    is_told = component.bound.get(both) == message.order
    belongs = message.end is None or message.end in component.members
    if is_told and belongs:
        return
    before = _asked(work, component, message)
    if not past.is_outdated(component.past, message.pair, message.order):
        own = work.own(root)
        if message.end is not None:
            own.members.add(message.end)
        bind(own, both, message.order)
        work.stories[root].unsettled = True
        full.look(work, root)
    component = work.components[root]
    if is_told:
        return
    _answer(work, component, message, message.pair, before, holds=component.bound.get(both) == message.order and is_bound(component, both))


def ask(work: Workspace, key: NodeKey, message: Ask) -> None:
    """Who holds an identifier, for somebody who may know; nothing changes."""
    root = at_root(work, key, message)
    if root is not None:
        component = work.components[root]
        _answer(work, component, message, (message.identifier,), _asked(work, component, message), holds=True)


def erase(work: Workspace, key: NodeKey, message: Erase) -> None:
    """Forget whoever holds an identifier; the receipt of an erasure answers for itself."""
    root = at_root(work, key, message)
    if root is None:
        return
    component = work.components[root]
    known = None if component.past is None else component.past.erased.get(message.identifier)
    if known is not None and known.order > message.order:
        _answer(work, component, message, (message.identifier,), _asked(work, component, message), holds=False)
    else:
        erasure.erase(work, root, message)


def forget(work: Workspace, key: NodeKey, message: Forget) -> None:
    """An identifier was erased elsewhere: what is anchored at it, or names it, is void."""
    if key == message.identifier:
        erasure.unlink(work, key, message)
    root = at_root(work, key, message)
    if root is not None:
        erasure.forget(work, root, message)


def gone(work: Workspace, key: NodeKey, message: Gone) -> None:
    """Somebody who pointed here was sent back by a component that was full, further up."""
    root = at_root(work, key, message)
    if root is not None and message.identifier != root:
        full.gone(work, root, message.identifier, message.turn)


def refused(work: Workspace, key: NodeKey, message: Refused) -> None:
    """Somebody here was to be linked with a component that is full, and is not."""
    root = at_root(work, key, message)
    if root is not None:
        full.part(work, root)


def _asked(work: Workspace, component: Component, message: Command) -> Sequence[Person]:
    """Who is who, where somebody asks what a command does."""
    return NOBODY if message.audit is None else resolve(component, work.policy).people


def _answer(
    work: Workspace,
    component: Component,
    message: Command,
    named: tuple[NodeKey, ...],
    before: Sequence[Person],
    holds: bool,
) -> None:
    if message.audit is None:
        return
    now = resolve(component, work.policy).people
    mine = next((person.canonical for person in now if named[0] in person.members), named[0])
    touched = {fragment for person in (*before, *now) if not set(named).isdisjoint(person.members) for fragment in person.fragments}
    came, into = (tuple(sorted(one.canonical for one in people if not touched.isdisjoint(one.fragments))) for people in (before, now))
    work.carried.append(Carried(message, message.audit, named, holds, came, into, mine, component.floor))


def at_root(work: Workspace, key: NodeKey, message: M) -> NodeKey | None:
    """The root in this partition that a message has come to and where it can be done; None where it went on, or waits."""
    root, path, here = work.climb(key, message.path)
    onward = structs.replace(message, path=path)
    if not here:
        work.post(root, onward)
        return None
    if not ready(work.components[root], path):
        if not full.onward(work, root, onward):
            moves.park(work, root, onward)
        return None
    return None if full.diverted(work, root, message) else root
