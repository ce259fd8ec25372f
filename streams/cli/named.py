"""What an operator wrote for an identifier or a customer, as a key; what identifies nobody is refused with its reason."""

from __future__ import annotations

from typing import NamedTuple

from streams.cli.options import Failure
from streams.identity.changes import handled
from streams.identity.identifiers import Blocked, Identifier, canonical, normaliser
from streams.identity.policy import Policy, ranked
from streams.rows import NodeKey

BLOCKED = {
    "junk": "is a placeholder that identifies nobody",
    "invalid": "is no value of its type",
    "too_long": "is too long for an identifier",
    "blocked": "is blocked by the policy",
}


class Named(NamedTuple):
    """As it was written, in its one form (None for a customer id), and its key."""

    written: str
    name: str | None
    key: NodeKey


def identifier(written: str, policy: Policy) -> Named:
    """The identifier that TYPE:VALUE or a conflict's TYPE:#HASH names, or the canonical one of a whole customer id; Failure where it can be nobody's."""
    kind, colon, value = written.partition(":")
    if not colon:
        key = canonical(written.lower())
        if key is None:
            raise Failure(f"{written} is neither TYPE:VALUE, say email:ann@example.org, nor a whole customer id.")
        return Named(written, None, key)
    hashed = handled(kind, value, ranked(policy.types))
    if hashed is not None:
        return Named(written, None, hashed)
    normal = normaliser(policy).normalise(kind, value)
    if isinstance(normal, Blocked):
        raise Failure(f"{written} {BLOCKED[normal.reason]}, so it never linked anybody.")
    if not isinstance(normal, Identifier):
        known = ", ".join(one.name for one in policy.types)
        raise Failure(f"{kind} is no type of identifier that the policy knows, so it never linked anybody; it knows {known}.")
    return Named(written, f"{normal.type}:{normal.value}", normal.key)
