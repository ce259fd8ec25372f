"""Customers who were erased: their rows go, and what is told of it.

The rule this module owns: nothing that a row of theirs said is repeated; what is published is counts and ids, which are keyed hashes. Their outputs are
not taken back one by one: the receipt and an empty profile stand for all of them.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from streams.boundary import Rows
from streams.customer import customers, partition_time, refold
from streams.customer.state import FoldRow
from streams.identity import afterwards
from streams.identity.identifiers import Identifier, normaliser
from streams.identity.messages import Audit
from streams.identity.past import ERASED_KEPT, Past, Receipt
from streams.identity.policy import Policy
from streams.identity.settling import Change
from streams.instants import Instant
from streams.rows import BASE, CHECKPOINT, DUE, ERASURE, FOLD, NodeKey, Person, end_of


class Erased(NamedTuple):
    """A person who was forgotten: its canonical key, by which command (None: what came with others' erasure left nothing of it), the customers that
    are no more, all ids whose profile is now empty, the version of that, up to when, how many of what was deleted, and who asked for it."""

    canonical: NodeKey
    identifier: NodeKey | None
    order: int | None
    gone: tuple[NodeKey, ...]
    emptied: tuple[NodeKey, ...]
    version: int
    until: Instant | None
    deleted: dict[str, int]
    audit: Audit | None = None


def erase(rows: Rows, change: Change, had: dict[bytes, FoldRow]) -> tuple[Change, list[Erased]]:
    """Delete the rows of the customers that a change erased (also from `had`); the change as it goes on, above their versions, and what to tell."""
    left = [*change.erased, *change.ended]
    floor = max([change.floor, *[had[person.canonical].version for person in left if person.canonical in had]]) + 1
    told = []
    for receipt in change.receipts:
        own = [person for person in left if person.canonical in receipt.members]
        left = [person for person in left if person not in own]
        told.append(_told(rows, had, receipt.canonical, own, floor, receipt))
        rows.put(DUE, partition_time.due_key(receipt.until + ERASED_KEPT, ERASURE + receipt.identifier), change.root)
    told += [_told(rows, had, person.canonical, [person], floor, None) for person in left]
    for person in change.erased:  # What the others said is still to be amended with whoever has touches of theirs.
        had.pop(person.canonical, None)
    afterwards.settle(rows, change.root, floor)
    return change._replace(floor=floor), told


def naming(policy: Policy, past: Past) -> Callable[[str], bool]:
    """What tells whether an identifier as a state has it (type:value) was an erased person's own."""
    normalise = normaliser(policy).normalise

    def is_gone(name: str) -> bool:
        kind, _, value = name.partition(":")
        found = normalise(kind, value)
        mark = past.erased.get(found.key) if isinstance(found, Identifier) else None
        return mark is not None and mark.own

    return is_gone


def _told(rows: Rows, had: dict[bytes, FoldRow], canonical: NodeKey, people: list[Person], floor: int, receipt: Receipt | None) -> Erased:
    deleted: Counter[str] = Counter() if receipt is None else Counter(receipt.deleted)
    gone = []
    for person in people:
        row = had.get(person.canonical)
        if row is not None:
            deleted.update(_forget(rows, customers.subject(person.canonical), row))
            gone.append(person.canonical)
    emptied = gone if receipt is None else [*gone, *[key for key in receipt.redirects if key not in gone]]
    identifier, until = (None, None) if receipt is None else (receipt.identifier, receipt.until)
    order, audit = (None, None) if receipt is None else (receipt.order, receipt.audit)
    return Erased(canonical, identifier, order, tuple(gone), tuple(emptied), floor, until, dict(sorted(deleted.items())), audit)


def _forget(rows: Rows, subject: bytes, row: FoldRow) -> dict[str, int]:
    """Delete all rows of a customer but its timeline; how many of each kind."""
    checkpoints = sum(1 for _ in rows.scan(CHECKPOINT, subject, end_of(subject)))
    refold.forget(rows, subject)
    rows.put(FOLD, subject, None)
    deleted = {"states": 1}
    if checkpoints:
        deleted["checkpoints"] = checkpoints
    if rows.get(BASE, [subject])[0] is not None:
        rows.put(BASE, subject, None)
        deleted["bases"] = 1
    if row.next_deadline is not None:
        rows.put(DUE, partition_time.due_key(row.next_deadline, subject), None)
        deleted["deadlines"] = 1
    return deleted
