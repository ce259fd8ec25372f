"""A customer's row moved forward, folded again, or made of others' after a merge or a split.

The rule this module owns: however a customer came to its interactions, its row is the fold of them all, and what was said before is amended, not
repeated. Versions go up only; a customer that is folded as of a time never goes back before it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from streams.boundary import Rows
from streams.customer import emissions, growth, refold, timeline
from streams.customer.emissions import Kept, Said
from streams.customer.fold import Folded, fold
from streams.customer.growth import Arrived
from streams.customer.state import FoldRow, decode_row, empty, follows
from streams.identity.protocol import Change
from streams.instants import Instant
from streams.language import Rulebook
from streams.rows import FOLD, PERSON_SUBJECT, NodeKey, Person, Touch


class Customer(NamedTuple):
    """A customer that this batch touched: its component's root, its row before (None: it is new under this id), after, what to publish, and the
    interactions that came."""

    root: NodeKey
    person: Person
    before: FoldRow | None
    after: FoldRow
    said: list[Said]
    fresh: list[Touch]
    refolded: bool


class Redirect(NamedTuple):
    """A customer that is no more: all of it belongs to `into` now."""

    gone: bytes
    into: bytes
    version: int


class Regrouped(NamedTuple):
    """What a change of people led to: those who are now, those who are no more, and the greatest version given."""

    customers: list[Customer]
    gone: list[Redirect]
    floor: int


def subject(canonical: bytes) -> bytes:
    """The subject key of a person."""
    return PERSON_SUBJECT + canonical


def rows_of(rows: Rows, canonicals: Sequence[bytes]) -> dict[bytes, FoldRow]:
    """The rows of those customers who have one, in one read."""
    found = rows.get(FOLD, [subject(canonical) for canonical in canonicals])
    return {canonical: decode_row(row) for canonical, row in zip(canonicals, found, strict=True) if row is not None}


def forward(
    rows: Rows, rulebook: Rulebook, root: NodeKey, person: Person, before: FoldRow | None, fresh: list[Touch], time: Instant, again: bool
) -> Customer:
    """Fold what came (sorted) onto a customer's row, or the whole timeline again where it does not follow what is folded, or where told to."""
    newest = fresh[-1].occurred_at if fresh else 0
    as_of = max(time, newest, before.as_of if before is not None else 0)
    state = empty(rulebook) if before is None else before.state
    stale = before is not None and before.rulebook != rulebook.version
    wholly = again or stale
    again = wholly or (bool(fresh) and before is not None and not follows(state, fresh[0]))
    own, held, base = subject(person.canonical), None if before is None else before.state, None
    if again:
        since = None if wholly else fresh[0].occurred_at
        folded, base = refold.refold(rows, own, person.fragments, since, held, as_of, rulebook)
    else:
        folded = fold(state, fresh, as_of, rulebook)
        refold.mark(rows, own, person.fragments, held, folded.state, rulebook)
    kept = before.kept if before is not None else b""
    said: list[Said] = []
    if folded.emissions or again:
        amended = emissions.amend(emissions.decode(kept), folded.emissions, complete=again, base=base)
        said, kept = amended.records, emissions.encode(amended.kept)
    version = (before.version if before is not None else 0) + 1
    return Customer(root, person, before, _row(rulebook, version, as_of, folded, kept), said, fresh, again)


def regroup(rows: Rows, rulebook: Rulebook, change: Change, had: dict[bytes, FoldRow], arrived: Arrived, time: Instant) -> Regrouped:
    """Fold on those who have only grown, and again all others whom a merge or a split made other than they were; amend what they said together.

    `had`: rows by canonical key.
    """
    same = set(change.before) & set(change.after)
    old = [person for person in change.before if person not in same and person.canonical in had]
    new = [person for person in change.after if person not in same]
    before = [had[person.canonical] for person in old]
    for person, row in zip(old, before, strict=True):
        if row.state.interactions >= refold.EVERY:
            refold.forget(rows, subject(person.canonical))
    floor = max([change.floor, *(row.version for row in before)]) + 1
    as_of_least = max([time, *(row.as_of for row in before)])
    kepts = [emissions.decode(row.kept) for row in before]
    known = frozenset([fragment for person in change.before for fragment in person.fragments])
    folds: list[tuple[Folded, Instant]] = []
    standing: list[Kept | None] = []
    for person in new:
        found = growth.grown(rows, rulebook, person, known, old, before, arrived)
        base = None if found is None or not emissions.stands_alone(kepts, found.place) else found
        touches = timeline.read(rows, person.fragments) if base is None else base.touches
        as_of = max([as_of_least, *(touch.occurred_at for touch in touches[-1:])])
        folds.append((fold(empty(rulebook) if base is None else before[base.place].state, touches, as_of, rulebook), as_of))
        standing.append(None if base is None else kepts[base.place])
    pooled = emissions.amend_pool(kepts, [folded.emissions for folded, _ in folds], standing)
    said: list[list[Said]] = [[] for _ in new]
    for place, record in pooled.records:
        said[place].append(record)
    customers = []
    for place, (person, (folded, as_of)) in enumerate(zip(new, folds, strict=True)):
        came = [touch for fragment in person.fragments for touch in arrived.fresh.get(fragment, ())]
        row = _row(rulebook, floor, as_of, folded, emissions.encode(pooled.kept[place]))
        customers.append(Customer(change.root, person, had.get(person.canonical), row, said[place], came, standing[place] is None))
    living = {person.canonical for person in change.after}
    home = {member: person.canonical for person in change.after for member in person.members}
    gone = [
        Redirect(person.canonical, home.get(person.canonical) or home[person.fragments[0]], floor)
        for person in old
        if person.canonical not in living
    ]
    return Regrouped(customers, gone, floor)


def _row(rulebook: Rulebook, version: int, as_of: Instant, folded: Folded, kept: bytes) -> FoldRow:
    return FoldRow(rulebook.version, version, as_of, folded.next_deadline, folded.state, kept)
