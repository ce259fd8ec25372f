"""A merge, a split or an erasure of customers, or what came of a command (topic journey.identity.changes.v1)."""

from typing import Literal

from msgspec import Struct

from schemas.output import Output, Timestamp


class Ordered(Struct, rename="camel", frozen=True):
    """The command that a receipt answers: its id, who gave it, when and why."""

    id: str
    actor: str
    at: Timestamp
    reason: str


class IdentityChange(Output, kw_only=True, rename="camel", omit_defaults=True):
    """Who became whom: after a merge `from` are gone into `into[0]`, after a split `from[0]` lives on as all of `into`; `messageId` led to it.

    After an erasure `from` are gone, `into` is empty, and `deleted` is the receipt: how many of what (interactions, states, checkpoints, links,
    identifiers, ...) was deleted, and by `cleanBy` no topic holds it any more (those with a retention already
    when the command that had them rewritten at once has ended). Outputs of the erased are not taken back one by one. What comes after
    an erasure that concerns it is not kept either, and told as `after_erasure`: `from` and `into` are empty, `late` are keyed hashes of interactions
    that came, one for each time that one did, and `deleted` counts those that stood elsewhere and were carried here. None of them is a dead letter,
    for that would hold what was sent.

    The receipt of a command names it as `command`. For all but `erase`, `from` are the customers whom it concerned just before, and `into` those whom they
    are since, the same where nobody changed: who held its identifiers, or holds them now, and of a value that links nobody any more those whom it
    linked; `evidence` are the identifiers as type:hash. `holds` is false where a later command about them
    came first. Two identifiers of which nothing ever met are answered for each: two receipts.
    """

    id: str
    kind: Literal["merge", "split", "erasure", "after_erasure", "link", "cannot_link", "allow_link", "mark_generic", "unmark", "export"]
    from_: list[str]
    into: list[str]
    version: int
    message_id: str | None
    deleted: dict[str, int] | None = None
    clean_by: Timestamp | None = None
    late: list[str] | None = None
    command: Ordered | None = None
    holds: bool | None = None
