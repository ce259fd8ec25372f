"""A person by its canonical identifier and its component's root, from the rows as they stand.

The rule this module owns: it only reads. A person's canonical identifier is a node of any partition; its customer's rows lie where its root does.
"""

from collections.abc import Mapping

from streams.boundary import Rows
from streams.identity.component import COMPONENT, settled
from streams.rows import NodeKey, Person


def find(rows: Rows, roots: Mapping[NodeKey, NodeKey]) -> dict[NodeKey, Person]:
    """The customers with these canonical keys (each with its root); who is no more, or not there, is left out."""
    components = rows.get(COMPONENT, list(roots.values()))
    found = {}
    for canonical, component in zip(roots, components, strict=True):
        for person in () if component is None else settled(component):
            if person.canonical == canonical:
                found[canonical] = person
    return found
