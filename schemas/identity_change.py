"""A merge, a split or an erasure of customers (topic journey.identity.changes.v1)."""

from typing import Literal

from schemas.output import Output


class IdentityChange(Output, kw_only=True, rename="camel", omit_defaults=True):
    """Who became whom: after a merge `from` are gone into `into[0]`, after a split `from[0]` lives on as all of `into`; `messageId` led to it.

    After an erasure `from` are gone, `into` is empty, and `deleted` is the receipt: how many of what (interactions, states, checkpoints, links,
    identifiers, ...) was deleted. Outputs of the erased are not taken back one by one. What comes after an erasure that concerns it is not kept
    either, and told as `after_erasure`: `from` and `into` are empty, `late` are keyed hashes of interactions that came, one for each time that one
    did, and `deleted` counts those that stood elsewhere and were carried here. None of them is a dead letter, for that would hold what was sent.
    """

    id: str
    kind: Literal["merge", "split", "erasure", "after_erasure"]
    from_: list[str]
    into: list[str]
    version: int
    message_id: str | None
    deleted: dict[str, int] | None = None
    late: list[str] | None = None
