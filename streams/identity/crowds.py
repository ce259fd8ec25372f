"""Crowds: an identifier that was seen with more of a type than one person's thing ever is, links none of that type.

Theory of operation. Every identifier counts, at its node, the distinct ones of each type that it was seen with, whether it was their anchor or they
its. Above the type's `neighbours_max` it is *crowded* with that type, for good: it tells its root, and whoever of that type meets it; links between
them are dropped where they were kept, and are kept no more. So of a value that a thousand devices send nothing grows but rows of its own, which
are never read together; neighbours keep their own components; and no identifier links more than so many of a type.

The rule this module owns: the count is of distinct identifiers and only grows, so who is crowded is a function of what was seen, in whatever order;
an erasure lowers it no more than it lowers what makes a value generic. What was counted is not evidence, so nothing can bring such links back but
a command that binds two.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import structs

from streams.identity import commands, full
from streams.identity.component import MET, PASSED, Node, crowd
from streams.identity.counts import NAME_BYTES
from streams.identity.messages import COMMANDED_MIN, Crowded, Forget, Generic
from streams.identity.workspace import Workspace
from streams.rows import NODE_KEY_BYTES, NodeKey, end_of

_THERE = b"1"


def meet(work: Workspace, key: NodeKey, others: Iterable[NodeKey]) -> Node:
    """Count those that an identifier was seen with; its node as it is then."""
    node = work.nodes[key]
    fresh = {other[:NAME_BYTES] for other in others if other[0] not in node.crowded} - node.neighbours
    if not fresh:
        return node
    neighbours = node.neighbours | fresh
    over: set[int] = set()
    if len(neighbours) > work.law.neighbours_min:
        counts = Counter([name[0] for name in neighbours])
        over = {code for code, count in counts.items() if count > work.types[code].neighbours_max}
        neighbours = frozenset([name for name in neighbours if name[0] not in over]) if over else neighbours
    node = structs.replace(node, neighbours=neighbours, crowded=node.crowded | over)
    work.write_node(key, node)
    tell(work, key, node, over)
    return node


def tell(work: Workspace, key: NodeKey, node: Node, over: Iterable[int]) -> None:
    """Tell a node's root, and whoever may not have come there, of which types it was seen with too many."""
    for code in sorted(over):
        work.emit(key, Crowded(key, code, True, ()))
        if node.generic or node.order:  # Whom it met while it was generic it may never have been joined with.
            for row, _ in list(work.rows.scan(MET, key + bytes([code]), end_of(key + bytes([code])))):
                work.emit(row[NODE_KEY_BYTES:], Crowded(key, code, False, ()))


def shared(work: Workspace, key: NodeKey, via: NodeKey, is_apart: bool) -> bool:
    """Count a unique identifier that was seen with this one; whether this one is shared by too many and nothing else keeps the two apart, which
    those concerned are told."""
    node = work.nodes[key]
    if node.order >= COMMANDED_MIN and not node.generic:
        return False
    if not node.generic and work.types[via[0]].strength == "unique" and node.unique.isdisjoint((via, via[:NAME_BYTES])):
        unique = node.unique | {via}
        generic = len(unique) > work.types[key[0]].generic_above
        node = structs.replace(node, unique=frozenset() if generic else unique, generic=generic)
        work.write_node(key, node)
        if generic:
            work.emit(key, Generic(key, True, (), None, True, node.order))
    if not node.generic or is_apart:
        return False
    work.rows.put(MET, key + via, _THERE)
    work.emit(via, Generic(key, False, (), None, True, node.order))
    return True


def passed(work: Workspace, key: NodeKey, via: NodeKey, is_passing: bool) -> None:
    """An anchor met an identifier and nothing links them: who does not know it yet is told. `is_passing`: it is the anchor who is crowded."""
    node = work.nodes[key]
    if not is_passing:
        work.emit(via, Crowded(key, via[0], False, ()))
    elif via[0] not in node.crowded:  # What is crowded is erased as nobody's own.
        work.rows.put(PASSED, key + via, _THERE)
    if node.erased is not None:  # Before it was crowded, it may be.
        work.emit(via, Forget(key, *node.erased, True, (), True))


def crowded(work: Workspace, key: NodeKey, message: Crowded) -> None:
    """At a root: an identifier has no links to a type any more."""
    root = commands.at_root(work, key, message)
    if root is None:
        return
    component, seen = work.components[root], message.identifier + bytes([message.code])
    is_new = seen not in component.crowded and (message.own or not component.full or message.identifier not in component.members)
    own = message.own and message.identifier not in component.members
    if is_new or own:
        component = work.own(root)
        if own:
            component.members.add(message.identifier)
        if is_new:
            crowd(component, seen)
        work.stories[root].unsettled = True
        full.look(work, root)
