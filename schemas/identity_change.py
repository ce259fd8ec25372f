"""A merge or a split of customers (topic journey.identity.changes.v1)."""

from typing import Literal

from msgspec import Struct

from schemas.output import Subject, Timestamp


class IdentityChange(Struct, kw_only=True, rename="camel"):
    """Who became whom: after a merge `from` are gone into `into[0]`, after a split `from` lives on as all of `into`."""

    id: str
    kind: Literal["merge", "split", "erasure"]
    subject: Subject
    from_: list[str]
    into: list[str]
    version: int
    replayed: bool
    occurred_at: Timestamp | None
    decided_at: Timestamp
    message_id: str | None
    evidence: list[str]
