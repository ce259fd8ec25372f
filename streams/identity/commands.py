"""Commands at a root: keep two apart or no longer, a value links nobody, forget a person; and what came of each.

The rule this module owns: a command that names who gave it is answered where it is carried out, with who the customers were just before and are since.
One that comes twice is not answered twice; one that comes after a later one is told to be late. A pair that is still two components' is kept apart, and
answered, in each.
"""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import structs

from streams.identity import erasure, moves, past
from streams.identity.component import Component, forbid, pair
from streams.identity.messages import Cannot, Erase, Forget, Generic
from streams.identity.resolve import resolve
from streams.identity.workspace import Carried, Workspace, ready
from streams.rows import NodeKey, Person

M = TypeVar("M", Cannot, Generic, Erase, Forget)
NOBODY: Sequence[Person] = ()


def generic(work: Workspace, key: NodeKey, message: Generic) -> None:
    """A value is shared by too many: it links nobody, now and in what comes. Where somebody says so, its node learns it before its root does."""
    identifier = message.identifier
    if message.audit is not None and key == identifier and not work.node(key).generic:
        work.write_node(key, structs.replace(work.node(key), unique=frozenset(), generic=True))
    root = _root(work, key, message)
    if root is None:
        return
    component = work.component(root)
    before = _asked(work, component, message)
    own = message.own and identifier not in component.members
    if own or identifier not in component.generic:
        component = work.own(root)
        component.generic.add(identifier)
        if own:
            component.members.add(identifier)
        work.story(root).unsettled = True
    _answer(work, component, message, (identifier,), before, holds=True)


def cannot(work: Workspace, key: NodeKey, message: Cannot) -> None:
    """Two identifiers are nobody's together, or may be again."""
    root = _root(work, key, message)
    if root is None:
        return
    component, both = work.component(root), pair(*message.pair)
    said = (message.order, message.apart)
    if component.cannot.get(both) == said:
        return
    before = _asked(work, component, message)
    outdated = past.is_outdated(component.past, message.pair, message.order)
    if not outdated and forbid(work.own(root), both, message.order, message.apart):
        work.story(root).unsettled = True
    component = work.component(root)
    _answer(work, component, message, message.pair, before, holds=component.cannot.get(both) == said)


def erase(work: Workspace, key: NodeKey, message: Erase) -> None:
    """Forget whoever holds an identifier; the receipt of an erasure answers for itself."""
    root = _root(work, key, message)
    if root is None:
        return
    component = work.component(root)
    known = None if component.past is None else component.past.erased.get(message.identifier)
    if known is not None and known.order > message.order:
        _answer(work, component, message, (message.identifier,), _asked(work, component, message), holds=False)
    else:
        erasure.erase(work, root, message)


def forget(work: Workspace, key: NodeKey, message: Forget) -> None:
    """An identifier was erased elsewhere: what is anchored at it, or names it, is void."""
    if key == message.identifier:
        erasure.unlink(work, key)
    root = _root(work, key, message)
    if root is not None:
        erasure.forget(work, root, message)


def _asked(work: Workspace, component: Component, message: Cannot | Generic | Erase) -> Sequence[Person]:
    """Who is who, where somebody asks what a command does."""
    return NOBODY if message.audit is None else resolve(component, work.policy).people


def _answer(
    work: Workspace,
    component: Component,
    message: Cannot | Generic | Erase,
    named: tuple[NodeKey, ...],
    before: Sequence[Person],
    holds: bool,
) -> None:
    if message.audit is None:
        return
    now = resolve(component, work.policy).people
    mine = next((person.canonical for person in now if named[0] in person.members), named[0])
    work.carried.append(
        Carried(message, message.audit, named, holds, _customers(before, named), _customers(now, named), mine, component.floor)
    )


def _customers(people: Sequence[Person], named: Sequence[NodeKey]) -> tuple[NodeKey, ...]:
    """Those who hold one of these identifiers and a touch."""
    held = [person.canonical for person in people if person.fragments and not set(named).isdisjoint(person.members)]
    return tuple(sorted(held))


def _root(work: Workspace, key: NodeKey, message: M) -> NodeKey | None:
    """The root in this partition that a message has come to and where it can be done; None where it went on, or waits."""
    root, path, here = work.climb(key, message.path)
    onward = structs.replace(message, path=path)
    if not here:
        work.post(root, onward)
        return None
    if not ready(work.component(root), path):
        moves.park(work, root, onward)
        return None
    return root
