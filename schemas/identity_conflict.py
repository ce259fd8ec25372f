"""A link that was refused, or an identifier that links nobody (topic journey.identity.conflicts.v1)."""

from typing import Literal

from msgspec import Struct

from schemas.output import Timestamp

Rule = Literal["limit", "cannot_link", "weak_between_known", "generic", "component_frozen"]


class IdentityConflict(Struct, kw_only=True, rename="camel"):
    """The rule that kept two customers apart, both customers, and the identifiers' types with their hashes, never their values."""

    id: str
    rule: Rule
    identifier_type: str
    customers: list[str]
    version: int
    replayed: bool
    occurred_at: Timestamp | None
    decided_at: Timestamp
    evidence: list[str]
