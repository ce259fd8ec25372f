"""What the workers know, read from the changelog: the newest of every row, deletions honoured.

The rule this module owns: rows of one key in two partitions are two rows; a customer that moved has left the one it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from streams.cli.facts import Message
from streams.customer import aged, digest
from streams.customer.state import decode_row
from streams.identity.identifiers import customer_id
from streams.rows import AGED, FOLD, NODE_KEY_BYTES, PERSON_SUBJECT, TIMELINE

_FRAGMENT_END = len(TIMELINE.tag) + NODE_KEY_BYTES


class Held(NamedTuple):
    """How many interactions the timelines took in (those that live on in totals too; an id that lies in two fragments counts once), the digest of all
    customers' states, and each customer's fold row, by the customer's id."""

    applied: int
    digest: str
    folds: Mapping[str, bytes]


def held(changelog: Iterable[Message]) -> Held:
    """What the workers hold when nothing is in flight."""
    newest = rows(
        changelog,
        lambda key: key.startswith((TIMELINE.tag, AGED.tag, FOLD.tag)),
        lambda key, value: b"" if key.startswith(TIMELINE.tag) else value,
    )
    touches = {key[_FRAGMENT_END:] for _, key in newest if key.startswith(TIMELINE.tag)}
    older = sum(aged.read(row).interactions for (_, key), row in newest.items() if key.startswith(AGED.tag))
    folds = {_name(key[len(FOLD.tag) :]): row for (_, key), row in newest.items() if key.startswith(FOLD.tag)}
    return Held(len(touches) + older, digest_of(newest), folds)


def totals(changelog: Iterable[Message]) -> tuple[int, str]:
    """Of what the workers hold how many interactions they took in, and the digest."""
    return held(changelog)[:2]


def digest_of(newest: dict[tuple[int, bytes], bytes]) -> str:
    """The digest of the fold rows among these rows, in hexadecimal digits."""
    folded = ((key[len(FOLD.tag) :], value) for (_, key), value in newest.items() if key.startswith(FOLD.tag))
    return digest.combined(digest.of_customer(_name(subject), decode_row(value).state) for subject, value in folded)


def _name(subject: bytes) -> str:
    """The public id of a person; of another subject its key, which is the same wherever it is."""
    return customer_id(subject[1:]) if subject.startswith(PERSON_SUBJECT) else subject.hex()


def rows(
    changelog: Iterable[Message], wanted: Callable[[bytes], bool], kept: Callable[[bytes, bytes], bytes] = lambda _key, value: value
) -> dict[tuple[int, bytes], bytes]:
    """The newest value of each wanted row by (partition, stored key); `kept` says what of it is held in memory."""
    newest: dict[tuple[int, bytes], bytes] = {}
    for message in changelog:
        key = message.key
        if key is None or not wanted(key):
            continue
        if message.value is None:
            newest.pop((message.partition, key), None)
        else:
            newest[message.partition, key] = kept(key, message.value)
    return newest
