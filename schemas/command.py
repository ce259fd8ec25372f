"""A command about who is who (topic journey.commands.v1): what is to be done, by whose order, when and why."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.output import Timestamp

Kind = Literal["link", "cannot_link", "allow_link", "mark_generic", "unmark", "erase", "export"]

IDENTIFIERS = {"link": 2, "cannot_link": 2, "allow_link": 2, "mark_generic": 1, "unmark": 1, "erase": 1, "export": 1}
"""How many identifiers a command of each kind names."""

CommandId = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=r"\S", description="One of a kind; also the record's key, so no personal data.")
]
Actor = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S", description="Who gives the command; the receipt repeats it.")]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1_000,
        pattern=r"\S",
        description="Why; the receipt repeats it for its retention, so no personal data of customers.",
    ),
]


class Named(Struct, rename="camel", frozen=True):
    """An identifier as producers send it; it is normalised by the identity policy."""

    type: str
    value: str


class Command(Struct, kw_only=True, rename="camel", frozen=True):
    """`link` makes two identifiers one customer's whatever the evidence says, `cannot_link` keeps two apart, `allow_link` ends either. `mark_generic` lets
    a value link nobody any more, `unmark` lets it link again, however many share it. `erase` forgets whoever holds an identifier, up to `at`. `export`
    says that all that is held about somebody is given away, and changes nothing. Of commands about the same the greatest `at` holds, whenever they come;
    of equal ones the id decides."""

    id: CommandId
    kind: Kind
    identifiers: list[Named]
    actor: Actor
    at: Timestamp
    reason: Reason
