"""The receipts of commands, on the topic of identity changes; an erasure's is told with its counts (publish.py).

The rule this module owns: a receipt names the command and of its identifiers only their keyed hashes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from schemas import record as wire
from schemas import topics
from schemas.identity_change import IdentityChange, Ordered
from schemas.output import Subject
from streams import instants
from streams.boundary import Clock, Outgoing
from streams.identity import changes as of_people
from streams.identity.identifiers import customer_id
from streams.identity.messages import Ask, Audit, Bind, Cannot, Erase, Generic
from streams.identity.policy import Policy, ranked, version
from streams.identity.workspace import Carried

SOURCE = "kairos"

Kind = Literal["link", "cannot_link", "allow_link", "mark_generic", "unmark", "erasure", "export"]

_KINDS: dict[type, Kind] = {Bind: "link", Ask: "export", Erase: "erasure", Generic: "mark_generic"}


def ordered(audit: Audit) -> Ordered:
    """Who gave a command, when and why, as a receipt says it."""
    return Ordered(audit.id, audit.actor, instants.text(audit.at), audit.reason)


def changes(carried: Sequence[Carried], clock: Clock, policy: Policy, tally: Counter[tuple[str, ...]]) -> list[Outgoing]:
    """A record for each command that was answered in a batch."""
    send = []
    for one in carried:
        kind = _kind(one)
        tally["kairos_commands_carried", kind, "true" if one.holds else "false"] += 1
        send.append(_receipt(one, kind, clock, policy))
    return send


def _kind(one: Carried) -> Kind:
    if isinstance(one.command, Cannot):
        return "cannot_link" if one.command.apart else "allow_link"
    if isinstance(one.command, Generic) and not one.command.marked:
        return "unmark"
    return _KINDS[type(one.command)]


def _receipt(one: Carried, kind: Kind, clock: Clock, policy: Policy) -> Outgoing:
    name, now = customer_id(one.canonical), instants.text(clock.now)
    types = ranked(policy.types)
    evidence = [of_people.named(key, types) for key in one.identifiers]
    envelope = (Subject("person", name), name, one.version, 1, policy.owner, clock.replayed, instants.text(one.audit.at), None, now)
    value = IdentityChange(
        *(*envelope, version(policy), evidence),
        id=f"{name}-{kind}-{one.audit.id}{'' if one.holds else '-late'}",
        kind=kind,
        from_=[customer_id(canonical) for canonical in one.before],
        into=[customer_id(canonical) for canonical in one.after],
        version=one.version,
        message_id=None,
        command=ordered(one.audit),
        holds=one.holds,
    )
    headers = wire.cloud_event_headers(value.id, topics.IDENTITY_CHANGES, SOURCE, now, None)
    return Outgoing(topics.IDENTITY_CHANGES, name.encode(), wire.encode(value), headers)
