"""A merge or a split of customers (topic journey.identity.changes.v1)."""

from typing import Literal

from schemas.output import Output


class IdentityChange(Output, kw_only=True, rename="camel"):
    """Who became whom: after a merge `from` are gone into `into[0]`, after a split `from[0]` lives on as all of `into`; `messageId` led to it."""

    id: str
    kind: Literal["merge", "split", "erasure"]
    from_: list[str]
    into: list[str]
    version: int
    message_id: str | None
