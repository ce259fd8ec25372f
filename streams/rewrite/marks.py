"""Who was erased, as the workers remember it.

The rule this module owns: it is read from keyed hashes alone, so a rewrite that was broken off needs no note of whom it was about; and it is about
everybody who was erased, for a rewrite costs the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

from streams import instants
from streams.identity.component import COMPONENT
from streams.identity.identifiers import customer_id
from streams.identity.past import Mark, Past, erasing
from streams.instants import Instant
from streams.intake import commands
from streams.rows import NodeKey


class Message(Protocol):
    """A record of a topic."""

    @property
    def partition(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Marks(NamedTuple):
    """`past`: the identifiers that were erased, of all components. `customers`: ids that they bore, and up to when what was decided is about those who
    are no more: whoever began again since has the same id."""

    past: Past
    customers: dict[str, Instant]


class _Command(Struct):
    id: str
    at: str


class _Change(Struct, rename="camel"):
    kind: str
    decided_at: str
    command: _Command | None = None


_CHANGE = msgspec.json.Decoder(_Change).decode


def gather(changelog: Iterable[Message], changes: Iterable[Message]) -> Marks:
    """The marks in the components' newest rows; the receipts say when each erasure was carried out."""
    rows: dict[tuple[int, bytes], dict[NodeKey, Mark]] = {}
    for message in changelog:
        if message.key is None or not message.key.startswith(COMPONENT.tag):
            continue
        past = None if message.value is None else COMPONENT.decode(message.value).past
        if past is not None and past.erased:
            rows[message.partition, message.key] = dict(past.erased)
        else:
            rows.pop((message.partition, message.key), None)
    whole: dict[NodeKey, Mark] = {}
    for erased in rows.values():
        for key, mark in erased.items():
            whole[key] = erasing(Past({key: whole.get(key, mark)}), {key: mark}).erased[key]
    carried = _carried(changes)
    return Marks(Past(whole), {customer_id(key): max(mark.until, carried.get(mark.order, 0)) for key, mark in whole.items()})


def _carried(changes: Iterable[Message]) -> dict[int, Instant]:
    """When each erasure was carried out, by the order of its command."""
    found: dict[int, Instant] = {}
    for message in changes:
        said = _CHANGE(message.value or b"")
        if said.kind == "erasure" and said.command is not None:
            order = commands.order(instants.parse(said.command.at) or 0, said.command.id)
            found[order] = max(found.get(order, 0), instants.parse(said.decided_at) or 0)
    return found
