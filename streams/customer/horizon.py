"""How far back a timeline reaches: the newest interactions, and no further than some time before the newest of all.

A customer's `cut` is the instant up to which its timeline was cleared. What occurred at it or before it lives on in its fragments' totals
(aged.py) and, folded in order, in the customer's Base: the state on which what the timeline holds is folded when it is folded again.

The rule this module owns, in four laws:
1. A timeline holds the newest `interactions_max` interactions, of these no older one than `age_max` before the newest. As it is cleared in slices,
   it may hold more, by a sixteenth of the number and a quarter of the age. An instant stays or goes as a whole; where one alone makes a timeline
   twice as long as it may be, it goes, and what else occurred then is too late.
2. What comes is refused as too late where it occurred at the cut or before it, or `age_max` before the newest interaction as it stood when the batch
   began. Nothing else is refused: nothing inside the horizon is. What is in totals never counts again.
3. While the rules stay the same and a customer loses no fragment and gains none with interactions at the cut or before it, clearing changes nothing
   that is said, nor the digest: its state, also one that is folded again for what came late, is the fold of all that was ever taken in, and what
   was said at the cut or before it stands for good.
4. Otherwise totals are added up for the new people, and nothing of them is lost. What only a fold in order can tell (journeys, segments, moments
   and the rules' memory, all of the old one folded up to the new cut) goes to the new customer that has the old one's id, of several to the one
   cleared up to the latest; a part that split off begins anew at the cut. New rules know where a customer stands and remember nothing from before
   the cut. Who merges is cleared up to the latest of the cuts, so beyond the horizon the order of arrival may show; nothing is said twice.
Where what was said of a timeline takes more room than a row has, it is cleared further than the limits ask for, likewise.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streams.boundary import Rows
from streams.customer import aged, emissions, refold, room, timeline
from streams.customer.fold import fold
from streams.customer.growth import Grown
from streams.customer.state import FORMAT, FoldRow, Mark, State, copied, empty
from streams.customer.timeline import Held
from streams.identity.settling import Change
from streams.identity.workspace import Applied
from streams.instants import DAY, Duration, Instant
from streams.language import Rulebook
from streams.rows import BASE, PERSON_SUBJECT, NodeKey, Person, decode_touch

SLACK = 16
"""A timeline is cleared when it holds more than it may by one part in so many."""
AGE_SLACK = 4
"""And when it reaches further back by one part in so many: who comes seldom would else be cleared at every visit."""

EIGHTHS = 8
"""A timeline that is cleared for want of room is cleared by so many of them as are needed."""


class Limits(NamedTuple):
    """How many interactions a timeline holds, how much older than the newest they may be, and beyond which number and age it is looked at."""

    interactions_max: int
    age_max: Duration
    interactions_look: int
    age_look: Duration


class Late(NamedTuple):
    """An interaction that is refused, and the instant at which, or before which, it is too late."""

    applied: Applied
    floor: Instant


class Base(Struct, array_like=True, frozen=True, gc=False):
    """The state as of a customer's cut, under these rules."""

    rulebook: str
    state: State
    format: int = FORMAT


class Rebased(NamedTuple):
    """Where the timeline of somebody new begins, on which state, and the place among the old of the one whose base it still is (None: nobody's)."""

    mark: Mark
    state: State
    place: int | None


class _Part(NamedTuple):
    """A new person, the cuts of those before, by their place, that it has a fragment of, and the state that it goes on from at the latest of them."""

    person: Person
    cuts: Mapping[int, Instant]
    inherited: State


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Base).decode


def limits(interactions_max: int, age_max: Duration) -> Limits:
    """Limits with their slack."""
    return Limits(interactions_max, age_max, interactions_max + interactions_max // SLACK, age_max + age_max // AGE_SLACK)


LIMITS = limits(2_000, 400 * DAY)
"""What holds where nobody says otherwise."""


def admitted(changes: Iterable[Change], had: Mapping[bytes, FoldRow], limits: Limits) -> tuple[list[Applied], list[Late]]:
    """Of what joined in a batch, what timelines take in and what is too late; `had`: the rows of those before, by canonical key."""
    joined: list[Applied] = []
    late: list[Late] = []
    age_max = limits.age_max
    for change in changes:
        applied = change.applied
        if not applied:
            continue
        greatest = 0
        for person in change.before:
            row = had.get(person.canonical)
            if row is not None and (floor := _floor(row, age_max)) > greatest:
                greatest = floor
        for one in applied:
            if one.occurred_at <= greatest:
                _sift(change, had, age_max, joined, late)
                break
        else:
            joined += applied
    return joined, late


def is_due(row: FoldRow, limits: Limits) -> bool:
    """Whether the row's timeline may have become longer than it may be."""
    state, mark = row.state, row.mark
    if mark is None:
        newest = state.newest
        return state.interactions > limits.interactions_look or (newest is not None and newest[0] - state.first_at > limits.age_look)
    return state.interactions > mark.interactions or (state.newest is not None and state.newest[0] > mark.instant)


def clear(rows: Rows, rulebook: Rulebook, subject: bytes, fragments: Sequence[NodeKey], row: FoldRow, limits: Limits) -> FoldRow:
    """Clear the timeline of what it may hold no more; the row as it stands then. The row was folded under this rulebook."""
    held = timeline.held(rows, fragments)
    newest = row.state.newest
    before = 0 if row.mark is None else row.mark.cut
    cut = before if newest is None else max(before, _cut([each.entry.occurred_at for each in held], newest[0], limits))
    return _cleared(rows, rulebook, subject, row, held, cut, limits)


def lighten(rows: Rows, rulebook: Rulebook, subject: bytes, fragments: Sequence[NodeKey], row: FoldRow, limits: Limits) -> FoldRow:
    """Clear a timeline so far that what was said after it takes half of the room that there is; where nothing less helps, all of it."""
    held = timeline.held(rows, fragments)
    newest = row.state.newest
    cuts = [held[len(held) * part // EIGHTHS].entry.occurred_at for part in range(1, EIGHTHS)] if held else []
    cuts.append(max(row.state.drained, newest[0] if newest is not None else 0))
    cut = next((cut for cut in cuts if len(since(row.kept, cut)) <= room.KEPT_BYTES_MAX // 2), cuts[-1])
    return _cleared(rows, rulebook, subject, row, held, max(cut, _cut_of(row)), limits)


def _cleared(rows: Rows, rulebook: Rulebook, subject: bytes, row: FoldRow, held: Sequence[Held], cut: Instant, limits: Limits) -> FoldRow:
    newest, before = row.state.newest, _cut_of(row)
    kept, going = row.kept, bisect_right(held, cut, key=_instant)
    if cut > before:
        state = start(rows, rulebook, subject, row) or empty(rulebook)
        _put(rows, rulebook, subject, fold(state, aged.take(rows, held[:going]), cut, rulebook).state)
        refold.forget_until(rows, subject, cut)
        kept = since(kept, cut)
    more = max(limits.interactions_look - limits.interactions_max, limits.interactions_look - (len(held) - going))
    later = (newest[0] if newest is not None else 0) + limits.age_look - limits.age_max
    return replace(row, kept=kept, mark=Mark(cut, row.state.interactions + more, later))


def start(rows: Rows, rulebook: Rulebook, subject: bytes, row: FoldRow | None) -> State | None:
    """The state on which the timeline of a customer with this row is folded; None: on nothing."""
    if row is None or row.mark is None:
        return None
    (written,) = rows.get(BASE, [subject])
    if written is None:
        return None
    base = _DECODE(written)
    if base.rulebook == rulebook.version:
        return base.state
    state = _under(base.state, rulebook)
    _put(rows, rulebook, subject, state)
    return state


def forget(rows: Rows, change: Change, is_gone: Callable[[str], bool]) -> None:
    """Take identifiers (type:value) that were erased out of the totals and bases of others who had been seen with them."""
    aged.forget(rows, change.swept, is_gone)
    for person in change.before:
        if not change.swept.isdisjoint(person.fragments):
            (row,) = rows.get(BASE, [_subject(person)])
            base = None if row is None else _DECODE(row)
            state = None if base is None else aged.without(base.state, is_gone)
            if base is not None and state is not None:
                rows.put(BASE, _subject(person), _ENCODE(replace(base, state=state)))


def rebase(rows: Rows, rulebook: Rulebook, new: Sequence[Person], old: Sequence[Person], before: Sequence[FoldRow]) -> dict[bytes, Rebased]:
    """Bring totals and bases to new people, by canonical key; those of whom nothing is in totals are left out.

    `old` and `before`: those whom the change concerns, and their rows.
    """
    if all(row.mark is None for row in before):
        return {}
    bases: dict[int, State] = {}
    for place, (person, row) in enumerate(zip(old, before, strict=True)):
        state = start(rows, rulebook, _subject(person), row)
        if state is not None:
            bases[place] = state
            rows.put(BASE, _subject(person), None)
    parts: list[_Part] = []
    for person in new:
        cuts = {place: _cut_of(before[place]) for place, was in enumerate(old) if not set(was.fragments).isdisjoint(person.fragments)}
        if any(cuts.values()):
            heir = _heir(person, old, before, cuts)
            parts.append(_Part(person, cuts, _inherited(rows, rulebook, old, bases, heir, max(cuts.values()))))
    found = {}
    for part in parts:  # Only when all have inherited: interactions go into totals with the first who is cleared of them.
        found[part.person.canonical] = rebased = _rebased(rows, part, old, before, bases)
        _put(rows, rulebook, _subject(part.person), rebased.state)
    return found


def settled(rebased: Mapping[bytes, Rebased], new: Sequence[Person], old: Sequence[Person], before: Sequence[FoldRow]) -> list[FoldRow]:
    """The rows of the old without what they said at the cut, or before it, of all whom they became: it stands."""
    return [replace(row, kept=since(row.kept, min(_cuts(rebased, new, was), default=0))) for was, row in zip(old, before, strict=True)]


def stood(rebased: Mapping[bytes, Rebased], new: Sequence[Person], old: Sequence[Person]) -> list[Instant]:
    """Of each of the old the instant up to which one of those whom they became may say no more: what nobody else says stands."""
    return [max(_cuts(rebased, new, was), default=0) for was in old]


def _cuts(rebased: Mapping[bytes, Rebased], new: Sequence[Person], was: Person) -> list[Instant]:
    own = set(was.fragments)
    return [rebased[one.canonical].mark.cut if one.canonical in rebased else 0 for one in new if not own.isdisjoint(one.fragments)]


def standing(rebased: Mapping[bytes, Rebased], new: Sequence[Person], found: Sequence[Grown | None]) -> list[Grown | None]:
    """Of what could be folded onto an old row, what still may be: onto the row whose base is the new one's."""
    kept: list[Grown | None] = []
    for person, grown in zip(new, found, strict=True):
        base = rebased.get(person.canonical)
        kept.append(grown if base is None or (grown is not None and base.place is not None and grown.place == base.place) else None)
    return kept


def since(kept: bytes, cut: Instant) -> bytes:
    """What was said after the cut, of what is kept; nothing that comes can change the rest."""
    found = emissions.decode(kept)
    live = {name: live for name, live in found.live.items() if live.emission.occurred_at > cut}
    gone = {name: taken for name, taken in found.gone.items() if taken[1] > cut}
    verdicts = {name: verdict for name, verdict in found.verdicts.items() if name in live or name in gone}
    floor = max([found.floor, *[revision for name, (revision, _) in found.gone.items() if name not in gone]])
    return emissions.encode(replace(found, live=live, gone=gone, verdicts=verdicts, floor=floor))


def _floor(row: FoldRow, age_max: Duration) -> Instant:
    """The instant at which, or before which, it is too late for an interaction of this customer; 0: for none."""
    newest, mark = row.state.newest, row.mark
    oldest = 0 if newest is None else newest[0] - age_max - 1
    return oldest if mark is None else max(mark.cut, oldest)


def _sift(change: Change, had: Mapping[bytes, FoldRow], age_max: Duration, joined: list[Applied], late: list[Late]) -> None:
    """Tell what is too late for whom it now belongs to."""
    floor_of: dict[NodeKey, Instant] = {}
    was = [(set(one.fragments), _floor(had[one.canonical], age_max)) for one in change.before if one.canonical in had]
    for person in change.after:
        floor = max([floor for fragments, floor in was if not fragments.isdisjoint(person.fragments)], default=0)
        floor_of.update(dict.fromkeys(person.fragments, floor))
    for applied in change.applied:
        floor = floor_of[applied.fragment]
        if applied.occurred_at > floor:
            joined.append(applied)
        else:
            late.append(Late(applied, floor))


def _cut(instants: Sequence[Instant], newest: Instant, limits: Limits) -> Instant:
    """The instant up to which a timeline of interactions at these instants, ascending, is to be cleared."""
    surplus = len(instants) - limits.interactions_max
    cut = newest - limits.age_max - 1
    if surplus > 0:
        last = instants[surplus - 1]
        earlier = bisect_left(instants, last)
        if instants[surplus] > last or len(instants) - earlier > 2 * limits.interactions_max:
            cut = max(cut, last)
        elif earlier:  # An instant goes as a whole or stays as a whole.
            cut = max(cut, instants[earlier - 1])
    return max(cut, 0)


def _heir(person: Person, old: Sequence[Person], before: Sequence[FoldRow], cuts: Mapping[int, Instant]) -> int | None:
    """The place of the old one whom a new person goes on as; `cuts`: of each old one that it has a fragment of."""
    heirs = [place for place in cuts if old[place].canonical in person.members]
    return max(heirs, key=lambda place: (cuts[place], before[place].state.interactions, old[place].canonical), default=None)


def _inherited(rows: Rows, rulebook: Rulebook, old: Sequence[Person], bases: Mapping[int, State], heir: int | None, cut: Instant) -> State:
    """The state as of a cut of one whom somebody goes on as: all that was said of it up to there, it has said."""
    if heir is None:
        return fold(empty(rulebook), [], cut, rulebook).state
    held = [entry for entry in timeline.entries(rows, old[heir].fragments) if entry.occurred_at <= cut]
    return fold(bases.get(heir, empty(rulebook)), [decode_touch(entry.touch) for entry in held], cut, rulebook).state


def _rebased(rows: Rows, part: _Part, old: Sequence[Person], before: Sequence[FoldRow], bases: Mapping[int, State]) -> Rebased:
    """The base of one new person."""
    person, cuts, as_was = part
    cut = max(cuts.values())
    own = set(person.fragments)
    behind = sorted({fragment for place, has in cuts.items() if has < cut for fragment in old[place].fragments if fragment in own})
    held = timeline.held(rows, behind)
    going = bisect_right(held, cut, key=_instant)
    if going:
        aged.take(rows, held[:going])
    (first, *others) = [place for place, has in cuts.items() if has]
    if not others and not going and own.issuperset(old[first].fragments) and first in bases:
        mark = before[first].mark
        return Rebased(mark if mark is not None else Mark(cut), bases[first], first)
    state = replace(
        aged.totals(rows, person.fragments),
        drained=as_was.drained,
        journeys=as_was.journeys,
        segments=as_was.segments,
        moments=as_was.moments,
        memory=as_was.memory,
        due=as_was.due,
    )
    return Rebased(Mark(cut), state, None)


def _under(state: State, rulebook: Rulebook) -> State:
    """A state under other rules: where the customer stands is known where they know such a place; they remember nothing."""
    bare = empty(rulebook)
    after = copied(state)
    after.memory, after.due = bare.memory, bare.due
    names = {declared.name for declared in rulebook.declarations}
    after.journeys = {name: position for name, position in state.journeys.items() if name in names}
    after.segments = {name: since for name, since in state.segments.items() if name in names}
    after.moments = {name: seen for name, seen in state.moments.items() if name in names}
    return after


def _put(rows: Rows, rulebook: Rulebook, subject: bytes, state: State) -> None:
    rows.put(BASE, subject, room.written(lambda fitting: _ENCODE(Base(rulebook.version, fitting)), state, empty(rulebook)))


def _cut_of(row: FoldRow) -> Instant:
    return 0 if row.mark is None else row.mark.cut


def _instant(held: Held) -> Instant:
    return held.entry.occurred_at


def _subject(person: Person) -> bytes:
    return PERSON_SUBJECT + person.canonical
