"""A link that was refused, or an identifier that links nobody (topic journey.identity.conflicts.v1)."""

from typing import Literal

from schemas.output import Output

Rule = Literal["limit", "cannot_link", "weak_between_known", "generic", "component_frozen", "component_full", "crowded", "shared_login"]


class IdentityConflict(Output, kw_only=True, rename="camel", omit_defaults=True):
    """The rule that kept customers apart, whom, and as evidence the identifiers as type:hash, never their values; the subject is the first of them.

    `command`: what to type to decide otherwise, or, where only looking helps, to look; it wants a reason, and says identifiers as TYPE:#HASH.
    """

    id: str
    rule: Rule
    identifier_type: str
    customers: list[str]
    version: int
    command: str | None = None
