"""What every output of Kairos carries, whatever its topic. The order of the fields is the wire's."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

EVIDENCE_MAX = 300
"""Of more interactions that show an output the newest are named."""
RETRACTED_EVIDENCE_MAX = 8
"""Likewise of an output that is taken back."""

Timestamp = Annotated[
    str, Meta(description="RFC 3339 in UTC, to the microsecond where there is one.", extra_json_schema={"format": "date-time"})
]

Owner = Annotated[
    str,
    Meta(
        description="Who answers for what is said. Of a stage, a segment or a moment the owner of its rule; of a profile, a redirect, an identity "
        "change or a conflict the owner of the identity policy, which decides whose state it is. Empty only where its author named nobody."
    ),
]


Evidence = Annotated[
    list[str],
    Meta(
        description=f"What it follows from, in order: ids of interactions, of an identity change or a conflict identifiers as type:hash. Of a stage, a "
        f"segment or a moment the newest {EVIDENCE_MAX} at most, the one that set it off last; of its retraction the newest {RETRACTED_EVIDENCE_MAX}: "
        "what it took back has them all. Of a profile the newest 100 that came."
    ),
]


class Subject(Struct, rename="camel", frozen=True, gc=False):
    """Whom an output is about: a person, resolved from identifiers, or an account."""

    kind: Literal["person", "account"]
    id: str


class Output(Struct, rename="camel", omit_defaults=False, gc=False):
    """The envelope of an output: of one id the greatest revision holds, of one customer the greatest version."""

    subject: Subject
    customer_id: str
    customer_version: int
    revision: int
    owner: Owner
    replayed: bool
    occurred_at: Timestamp
    received_at: Timestamp | None
    decided_at: Timestamp
    rule_version: str
    evidence: Evidence


class Cause(Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """What set an output off: an interaction, or a deadline that an interaction had set."""

    kind: Literal["event", "deadline"]
    message_id: str | None = None
    deadline: Timestamp | None = None
