"""What every output of Kairos carries, whatever its topic. The order of the fields is the wire's."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

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
    evidence: list[str]


class Cause(Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """What set an output off: an interaction, or a deadline that an interaction had set."""

    kind: Literal["event", "deadline"]
    message_id: str | None = None
    deadline: Timestamp | None = None
