"""A link that was refused, or an identifier that links nobody (topic journey.identity.conflicts.v1)."""

from typing import Literal

from schemas.output import Output

Rule = Literal["limit", "cannot_link", "weak_between_known", "generic", "component_frozen", "component_full", "crowded", "shared_login"]


class IdentityConflict(Output, kw_only=True, rename="camel"):
    """The rule that kept customers apart, whom, and as evidence the identifiers as type:hash, never their values; the subject is the first of them."""

    id: str
    rule: Rule
    identifier_type: str
    customers: list[str]
    version: int
