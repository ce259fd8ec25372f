"""What a component is told of its customers once they are folded, and what it remembers for a time only: redirects of the merged, and erasures.

The rule this module owns: both lie in the component's row and move with it, so whoever comes with an end that is due asks the row whether it holds
here and now. An end of something that moved away, was renewed or taken back says nothing. The row that is put shares its evidence with the one before,
which nobody changes any more.
"""

from collections.abc import Collection, Mapping
from copy import copy

from streams.boundary import Rows
from streams.identity import past
from streams.identity.component import COMPONENT
from streams.instants import Instant
from streams.rows import NodeKey

NOBODY: Mapping[NodeKey, Instant] = {}


def settle(rows: Rows, root: NodeKey, floor: int, redirects: Mapping[NodeKey, Instant] = NOBODY, living: Collection[NodeKey] = ()) -> None:
    """Keep the greatest version that a customer of this component was given, and until when those who are no more redirect to others.

    `living`: its customers now; who lives again redirects no more.
    """
    component = rows.get(COMPONENT, (root,))[0]
    if component is not None and component.floor < floor:
        raised = copy(component)
        raised.floor = floor
        raised.past = past.redirecting(component.past, redirects, living)
        rows.put(COMPONENT, root, raised)


def lapse(rows: Rows, root: NodeKey, gone: NodeKey | None, at: Instant) -> bool:
    """Forget the redirect of a customer that was kept until exactly then, or (None) all erasures that need be remembered no longer; whether there was
    any, and still in this partition."""
    component = rows.get(COMPONENT, (root,))[0]
    if component is None:
        return False
    rest = past.lapsed_erasures(component.past, at) if gone is None else past.lapsed_redirect(component.past, gone, at)
    if rest is not None:
        without = copy(component)
        without.past = rest
        rows.put(COMPONENT, root, without)
    return rest is not None
