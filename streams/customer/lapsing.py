"""What ends by itself: redirects of merged customers, and the memory of erasures; both by due entries, like deadlines.

The rule this module owns: the component says what holds (identity/afterwards.py), an entry only when to ask. Where a component came from elsewhere, its
entries are put anew; those left behind ask in vain.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.boundary import Rows
from streams.customer import partition_time
from streams.customer.customers import Redirect
from streams.identity import afterwards
from streams.identity.past import ERASED_KEPT, Past
from streams.instants import Instant
from streams.rows import DUE, ERASURE, REDIRECT, NodeKey


class Lapsed(NamedTuple):
    """A customer (canonical key) whose redirect has ended, and when."""

    gone: NodeKey
    at: Instant


def expect(rows: Rows, gone: Iterable[Redirect]) -> None:
    """Put when the redirects of those who were merged end."""
    for redirect in gone:
        rows.put(DUE, partition_time.due_key(redirect.lapses, REDIRECT + redirect.gone), redirect.root)


def moved(rows: Rows, root: NodeKey, past: Past) -> None:
    """Put anew when what a component remembers ends: it has another root, or came from another partition."""
    for gone, until in past.redirects.items():
        rows.put(DUE, partition_time.due_key(until, REDIRECT + gone), root)
    for key, mark in past.erased.items():
        rows.put(DUE, partition_time.due_key(mark.until + ERASED_KEPT, ERASURE + key), root)


def lapsed(rows: Rows, entries: Sequence[tuple[bytes, NodeKey]]) -> list[Lapsed]:
    """The customers whose redirects end by entries that have come due (key, root); erasures that end are forgotten."""
    ended = []
    for entry, root in entries:
        subject, at = partition_time.subject_of(entry), partition_time.deadline_of(entry)
        if subject[:1] == ERASURE:
            afterwards.lapse(rows, root, None, at)
        elif subject[:1] == REDIRECT and afterwards.lapse(rows, root, subject[1:], at):
            ended.append(Lapsed(subject[1:], at))
    return ended
