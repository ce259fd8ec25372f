"""A merge, a split or an erasure of customers (topic journey.identity.changes.v1)."""

from typing import Literal

from schemas.output import Output


class IdentityChange(Output, kw_only=True, rename="camel", omit_defaults=True):
    """Who became whom: after a merge `from` are gone into `into[0]`, after a split `from[0]` lives on as all of `into`; `messageId` led to it.

    After an erasure `from` are gone, `into` is empty, and `deleted` is the receipt: how many of what (interactions, states, checkpoints, links,
    identifiers, ...) was deleted. Outputs of the erased are not taken back one by one.
    """

    id: str
    kind: Literal["merge", "split", "erasure"]
    from_: list[str]
    into: list[str]
    version: int
    message_id: str | None
    deleted: dict[str, int] | None = None
