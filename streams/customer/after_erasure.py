"""What is told of interactions that came, or were carried here, after an erasure that concerns them, and were not kept.

The rule this module owns: they are accounted for, and nothing of them is kept. They never become dead letters: those hold what was sent, which is
what was to be forgotten. Told are keyed hashes and a count, of no time but the present, so that every record read is accounted for by the topics alone.
"""

from collections.abc import Sequence

from schemas import record as wire
from schemas import topics
from schemas.identity_change import IdentityChange
from schemas.output import Subject
from streams import instants
from streams.boundary import Clock, Outgoing, Record
from streams.identity.identifiers import customer_id
from streams.identity.policy import Policy, version
from streams.identity.workspace import Void
from streams.rows import NodeKey

SOURCE = "kairos"


def changes(void: Sequence[Void], records: Sequence[Record], clock: Clock, policy: Policy) -> list[Outgoing]:
    """A change for each identifier at which any of these were anchored; the batch's first record makes its id one of a kind."""
    by_anchor: dict[NodeKey, list[Void]] = {}
    for one in void:
        by_anchor.setdefault(one.anchor, []).append(one)
    place = f"{records[0].partition}-{records[0].offset}"
    return [_change(anchor, found, place, clock, policy) for anchor, found in by_anchor.items()]


def _change(anchor: NodeKey, found: Sequence[Void], place: str, clock: Clock, policy: Policy) -> Outgoing:
    name, now = customer_id(anchor), instants.text(clock.now)
    floor = max([one.floor for one in found])
    stood = sum([one.stood for one in found])
    value = IdentityChange(
        *(Subject("person", name), name, floor, 1, policy.owner, clock.replayed, now, None, now, version(policy), []),
        id=f"{name}-{place}-after_erasure",
        kind="after_erasure",
        from_=[],
        into=[],
        version=floor,
        message_id=None,
        deleted={"interactions": stood} if stood else None,
        late=[one.uid.hex() for one in found if not one.stood] or None,
    )
    headers = wire.cloud_event_headers(value.id, topics.IDENTITY_CHANGES, SOURCE, now, None)
    return Outgoing(topics.IDENTITY_CHANGES, name.encode(), wire.encode(value), headers)
