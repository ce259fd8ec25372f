"""A customer's row moved forward, folded again, or made of others' after a merge or a split.

The rule this module owns: however a customer came to its interactions, its row is the fold of them all, and what was said before is amended, not
repeated. Versions go up only; a customer that is folded as of a time never goes back before it.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from streams import rows as kinds
from streams.boundary import Rows
from streams.customer import emissions, growth, horizon, refold
from streams.customer.emissions import Kept, Pool, Said
from streams.customer.fold import Folded, fold
from streams.customer.growth import Arrived, Grown, Timelines
from streams.customer.horizon import Rebased
from streams.customer.state import FoldRow, Mark, State, empty, follows, opened
from streams.identity.settling import Change
from streams.instants import DAY, Instant
from streams.language import Rulebook
from streams.rows import FOLD, PERSON_SUBJECT, NodeKey, Person, Touch

REDIRECT_KEPT = 30 * DAY
"""So long after a merge, as of the customers concerned, the redirect of who is no more is taken off the profiles."""


class Customer(Struct, frozen=True, gc=False):
    """A customer that this batch touched: its component's root, its row before (None: it is new under this id), after, what to publish, the
    interactions that came, whether they were folded with all others again, whether other identifiers or interactions are its own now, and who it was
    by the same id before (None: it had the same identifiers, or nobody was called so)."""

    root: NodeKey
    person: Person
    before: FoldRow | None
    after: FoldRow
    said: list[Said]
    fresh: list[Touch]
    refolded: bool
    regrouped: bool = False
    was: Person | None = None


class Redirect(Struct, frozen=True, gc=False):
    """A customer that is no more: all of it belongs to `into` now. `deadline` is what it waited for; its redirect is kept until `lapses`."""

    gone: bytes
    into: bytes
    version: int
    deadline: Instant | None
    root: NodeKey
    lapses: Instant


class Regrouped(Struct, frozen=True, gc=False):
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
    return {canonical: opened(row) for canonical, row in zip(canonicals, found, strict=True) if row is not None}


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
        start = horizon.start(rows, rulebook, own, before)
        folded, base = refold.refold(rows, own, person.fragments, since, held, as_of, rulebook, start)
    else:
        folded = fold(state, fresh, as_of, rulebook)
        refold.mark(rows, own, person.fragments, held, folded.state, rulebook)
    said, kept = _amended(before, folded, again, base)
    version = (before.version if before is not None else 0) + 1
    mark = None if before is None else before.mark
    return Customer(root, person, before, _row(rulebook, version, as_of, folded, kept, mark), said, fresh, again)


NOBODY: Mapping[NodeKey, Person] = {}


class Others(Struct, frozen=True, gc=False):
    """The people whom a change concerns: those who were, those who are instead, those who stay as they were, and who those of these were who have other
    identifiers now."""

    old: Sequence[Person]
    new: Sequence[Person]
    stayed: Sequence[Person]
    renamed: Mapping[NodeKey, Person] = NOBODY


def others(change: Change) -> Others:
    """Who became others: whose id or fragments changed. Somebody new in a component whose rows all lie here is nobody's other."""
    before, after = change.before, change.after
    if before is after or (not before and not change.moved and len(after) == 1 and change.past is None):
        return Others((), (), after)
    were, are = {_own(person): person for person in before}, {_own(person): person for person in after}
    stayed = [person for own, person in are.items() if own in were]
    return Others(
        [person for own, person in were.items() if own not in are],
        [person for own, person in are.items() if own not in were],
        stayed,
        {person.canonical: was for person in stayed if (was := were[_own(person)]).members != person.members},
    )


def _own(person: Person) -> tuple[NodeKey, tuple[NodeKey, ...]]:
    """What its customer is made of: an identifier without interactions adds nothing."""
    return person.canonical, person.fragments


def regroup(
    rows: Rows, rulebook: Rulebook, change: Change, others: Others, had: dict[bytes, FoldRow], arrived: Arrived, time: Instant
) -> Regrouped:
    """Fold on those who have only grown, and again all others whom a merge or a split made other than they were; amend what they said together.

    `had`: rows by canonical key.
    """
    new = others.new
    old = [person for person in others.old if person.canonical in had]
    before = [had[person.canonical] for person in old]
    for person, row in zip(old, before, strict=True):
        if row.state.interactions >= kinds.CHECKPOINT_EVERY:
            refold.forget(rows, subject(person.canonical))
    floor = max([change.floor, *[row.version for row in before]]) + 1
    as_of_least = max([time, *[row.as_of for row in before]])
    known = frozenset([fragment for person in change.before for fragment in person.fragments])
    rebased = horizon.rebase(rows, rulebook, new, old, before)
    timelines = Timelines(rows, known, {} if rebased else change.carried, arrived)
    found = [growth.grown(timelines, rulebook, person, old, before) for person in new]
    if rebased:
        before = horizon.settled(rebased, new, old, before)
        found = horizon.standing(rebased, new, found)
    parted = _parted(change, old, new)
    if len(new) == 1 and len(old) <= 1 and found[0] is not None and not parted:
        grown = [_grown(rulebook, change.root, new[0], before, found[0], had, arrived, floor, as_of_least, rebased, old)]
    else:
        grown = _pooled(timelines, rulebook, change.root, new, before, found, had, floor, as_of_least, rebased, old, parted)
    return Regrouped(grown, _gone(change, old, before, floor, time, had, {each.person.canonical: each.after for each in grown}), floor)


def _grown(
    rulebook: Rulebook,
    root: NodeKey,
    person: Person,
    old: Sequence[FoldRow],
    found: Grown,
    had: dict[bytes, FoldRow],
    arrived: Arrived,
    floor: int,
    as_of: Instant,
    rebased: Mapping[bytes, Rebased],
    was: Sequence[Person],
) -> Customer:
    """One out of one, or out of nobody: folded on as anybody who is the same."""
    base = old[0] if old else None
    as_of = max([as_of, *[touch.occurred_at for touch in found.touches[-1:]]])
    folded = fold(empty(rulebook) if base is None else base.state, found.touches, as_of, rulebook)
    if base is not None and base.kept and was[0].canonical != person.canonical:
        base = structs.replace(
            base, kept=emissions.encode(emissions.renamed(emissions.decode(base.kept), was[0].canonical, person.canonical))
        )
    said, kept = _amended(base, folded, False, None)
    row = _row(rulebook, floor, as_of, folded, kept, _mark(rebased, person))
    called_so = was[0] if was and was[0].canonical == person.canonical else None  # Of old ones there is one at most.
    return Customer(root, person, had.get(person.canonical), row, said, _came(person, arrived), False, True, called_so)


def _pooled(
    timelines: Timelines,
    rulebook: Rulebook,
    root: NodeKey,
    new: Sequence[Person],
    before: Sequence[FoldRow],
    found: Sequence[Grown | None],
    had: dict[bytes, FoldRow],
    floor: int,
    as_of_least: Instant,
    rebased: Mapping[bytes, Rebased],
    old: Sequence[Person],
    parted: bool,
) -> list[Customer]:
    """Several out of one, or one out of several: what any of them said is amended together."""
    kepts = [emissions.decode(row.kept) for row in before]
    folds: list[tuple[Folded, Instant]] = []
    standing: list[Kept | None] = []
    heard: set[str] = set()
    for person, grown in zip(new, found, strict=True):
        if parted or grown is None or grown.place is None or not emissions.stands_alone(kepts, grown.place):
            beginning = rebased.get(person.canonical)
            state = empty(rulebook) if beginning is None else beginning.state
            touches, stands = timelines.together(person.fragments), None
            if rebased:
                heard.update([touch.id for touch in touches])
        else:
            state, touches = before[grown.place].state, grown.touches
            stands = emissions.renamed(kepts[grown.place], old[grown.place].canonical, person.canonical)
        as_of = max([as_of_least, *[touch.occurred_at for touch in touches[-1:]]])
        folds.append((fold(state, touches, as_of, rulebook), as_of))
        standing.append(stands)
    stood = horizon.stood(rebased, new, old) if rebased else ()
    pool = Pool(kepts, [person.canonical for person in old], [person.canonical for person in new], parted, stood, heard)
    pooled = emissions.amend_pool(pool, [folded.emissions for folded, _ in folds], standing)
    said: list[list[Said]] = [[] for _ in new]
    for place, record in pooled.records:
        said[place].append(record)
    customers, called_so = [], {one.canonical: one for one in old}
    for place, (person, (folded, as_of)) in enumerate(zip(new, folds, strict=True)):
        mark, kept = _mark(rebased, person), emissions.encode(pooled.kept[place])
        row = _row(rulebook, floor, as_of, folded, kept if mark is None else horizon.since(kept, mark.cut), mark)
        before_it, came, refolded = had.get(person.canonical), _came(person, timelines.arrived), standing[place] is None
        customers.append(Customer(root, person, before_it, row, said[place], came, refolded, True, called_so.get(person.canonical)))
    return customers


def _parted(change: Change, old: Sequence[Person], new: Sequence[Person]) -> bool:
    """Whether any of the old is not wholly one of the new, who is called so or where its redirect leads."""
    if not old:
        return False
    place = {fragment: person.canonical for person in new for fragment in person.fragments}
    living = {person.canonical for person in change.after}
    home: dict[NodeKey, NodeKey] = {}
    for person in old:
        into = {place.get(fragment) for fragment in person.fragments}
        if len(into) != 1:
            return True
        leads = person.canonical
        if leads not in living:
            home = home or {member: after.canonical for after in change.after for member in after.members}
            leads = home.get(leads) or home.get(person.fragments[0], leads)
        if leads not in into:
            return True
    return False


def _came(person: Person, arrived: Arrived) -> list[Touch]:
    return [touch for fragment in person.fragments for touch in arrived.fresh.get(fragment, ())]


def _gone(
    change: Change,
    old: Sequence[Person],
    before: Sequence[FoldRow],
    floor: int,
    time: Instant,
    had: Mapping[bytes, FoldRow],
    has: Mapping[bytes, FoldRow],
) -> list[Redirect]:
    """Redirects to others end no earlier than those to oneself, for nobody's as-of goes back: none leads to one that has ended."""
    living = [person.canonical for person in change.after]
    home: dict[NodeKey, NodeKey] = {}
    gone = []
    for person, row in zip(old, before, strict=True):
        if person.canonical not in living and person not in change.ended:
            home = home or {member: after.canonical for after in change.after for member in after.members}
            into = home.get(person.canonical) or next(home[fragment] for fragment in person.fragments if fragment in home)
            row_there = has.get(into) or had.get(into)
            lapses = (time if row_there is None else max(time, row_there.as_of)) + REDIRECT_KEPT
            gone.append(Redirect(person.canonical, into, floor, row.next_deadline, change.root, lapses))
    return gone


def _amended(before: FoldRow | None, folded: Folded, again: bool, base: State | None) -> tuple[list[Said], bytes]:
    """What a fold of one customer makes known, and what it keeps."""
    kept = before.kept if before is not None else b""
    if not folded.emissions and not again:
        return [], kept
    amended = emissions.amend(emissions.decode(kept), folded.emissions, complete=again, base=base)
    return amended.records, emissions.encode(amended.kept)


def _mark(rebased: Mapping[bytes, Rebased], person: Person) -> Mark | None:
    beginning = rebased.get(person.canonical)
    return None if beginning is None else beginning.mark


def _row(rulebook: Rulebook, version: int, as_of: Instant, folded: Folded, kept: bytes, mark: Mark | None) -> FoldRow:
    return FoldRow(rulebook.version, version, as_of, folded.next_deadline, folded.state, kept, mark=mark)
