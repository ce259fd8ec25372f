"""Who is shared by too many and who is crowded, by what a node has counted, under any policy.

The rule this module owns: a node counts by what it remembers of those it met, never by what was concluded from it. It remembers beginnings of their keys,
by which they are told apart; the anchors among them are those with lesser keys, and only anchors of a unique type prove that a value is shared. What
it no longer remembers, for there were more of a type than one links, stays as it was concluded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import structs

from streams.identity.component import Node
from streams.identity.messages import COMMANDED_MIN
from streams.identity.policy import IdentifierType
from streams.rows import NodeKey

NAME_BYTES = 8
"""So much of a neighbour's key is kept to know it again: two of four thousand are alike once in ten thousand million nodes, and count as one then."""
NOBODY: Mapping[int, int] = {}


def judged(key: NodeKey, node: Node, types: Sequence[IdentifierType]) -> Node:
    """A node as it would be if a policy with these types had been in force from the beginning, as far as it remembers; the same one where nothing is other.

    What a command has said stays. Where it links again its order is one more, so that this is told from what was counted before.
    """
    if not (node.neighbours or node.generic or node.unique):
        return node
    over = _crowds(node, types)
    generic, order, unique = node.generic, node.order, node.unique
    if order < COMMANDED_MIN:
        met = _anchors(key, node, types)
        is_forgotten = node.generic and _forgets(key, node, types)
        generic = is_forgotten or len(met) > types[key[0]].generic_above
        unique = frozenset() if generic else node.unique if {one[:NAME_BYTES] for one in node.unique} == met else met
        order += node.generic and not generic
    if not over and generic == node.generic and unique == node.unique:
        return node
    neighbours = frozenset([name for name in node.neighbours if name[0] not in over]) if over else node.neighbours
    return structs.replace(node, generic=generic, order=order, unique=unique, crowded=node.crowded | over, neighbours=neighbours)


def _crowds(node: Node, types: Sequence[IdentifierType]) -> frozenset[int]:
    counts = Counter([name[0] for name in node.neighbours]) if len(node.neighbours) > 1 else NOBODY
    return frozenset([code for code, count in counts.items() if count > types[code].neighbours_max])


def _anchors(key: NodeKey, node: Node, types: Sequence[IdentifierType]) -> frozenset[bytes]:
    """The unique identifiers that it was seen with as another's: those that outrank it."""
    own = key[:NAME_BYTES]
    known = [name for name in node.neighbours if name < own] + [one[:NAME_BYTES] for one in node.unique]
    return frozenset([name for name in known if types[name[0]].strength == "unique"])


def _forgets(key: NodeKey, node: Node, types: Sequence[IdentifierType]) -> bool:
    """Whether it was seen with more unique identifiers of a type than it remembers."""
    return any(code <= key[0] and types[code].strength == "unique" for code in node.crowded)
