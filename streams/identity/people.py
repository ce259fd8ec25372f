"""A person by its canonical identifier, from the rows as they stand.

The rule this module owns: it only reads; a person that is asked for is settled, and its root lies in the partition where its customer's rows lie.
"""

from collections.abc import Iterable

from streams.boundary import Rows
from streams.identity.component import COMPONENT, NODE, settled
from streams.rows import NodeKey, Person


def find(rows: Rows, canonicals: Iterable[NodeKey]) -> dict[NodeKey, Person]:
    """The customers with these canonical keys; one whose root lies elsewhere, or who is no more, is left out."""
    climbing = {canonical: canonical for canonical in canonicals}
    roots: dict[NodeKey, NodeKey] = {}
    while climbing:
        nodes = rows.get(NODE, list(climbing.values()))
        onward: dict[NodeKey, NodeKey] = {}
        for (canonical, key), node in zip(climbing.items(), nodes, strict=True):
            if node is None or node.parent is None:
                roots[canonical] = key
            elif rows.holds(node.parent):
                onward[canonical] = node.parent
        climbing = onward
    components = rows.get(COMPONENT, list(roots.values()))
    found = {}
    for canonical, component in zip(roots, components, strict=True):
        for person in () if component is None else settled(component):
            if person.canonical == canonical:
                found[canonical] = person
    return found
