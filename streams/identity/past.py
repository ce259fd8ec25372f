"""What a component remembers of those who are no more: identifiers that were erased, customers that were merged into others.

The rule this module owns: it holds keyed hashes and instants, never an identifier; it is a value, and joining two is commutative, associative
and idempotent. It lies in the component's row, so it is wherever its identifiers' interactions come together, and moves with them.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from streams.identity.messages import Audit
from streams.instants import DAY, Instant
from streams.rows import NodeKey, Person

ERASED_KEPT = 400 * DAY
"""The longest that anything is kept: so long after its instant an erasure is remembered, and what is older is too late for any timeline."""


class Mark(Struct, array_like=True, frozen=True):
    """An identifier that was erased: whatever occurred up to `until` and is anchored at it is void, and if it was the person's `own` also whatever
    names it. `order`: the greatest of the commands'."""

    until: Instant
    order: int
    own: bool


class Past(Struct, array_like=True, frozen=True):
    """`erased`: identifiers by key. `redirects`: customers merged into others, by canonical key, and until when their redirect is kept."""

    erased: dict[NodeKey, Mark] = {}
    redirects: dict[NodeKey, Instant] = {}


class Receipt(Struct, array_like=True, frozen=True):
    """What one command erased: the identifier it named, until when, its order, the person's canonical key and members, those of them that had been customers
    and were merged away, how many of what was deleted, and who asked for it, where that is known."""

    identifier: NodeKey
    until: Instant
    order: int
    canonical: NodeKey
    members: tuple[NodeKey, ...]
    redirects: tuple[NodeKey, ...]
    deleted: dict[str, int]
    audit: Audit | None = None


class Erasing(Struct, array_like=True):
    """What was erased of a component in one batch; owned by its story. `members`: identifiers whose customers are no more; `swept`: fragments
    of others that lost touches."""

    receipts: list[Receipt] = []
    members: set[NodeKey] = set()
    swept: set[NodeKey] = set()


def is_void(past: Past, ids: Collection[NodeKey], occurred_at: Instant) -> bool:
    """Whether an interaction with these identifiers (its anchor is the least) was erased, or would have been had it come in time."""
    anchor = min(ids)
    for key in ids:
        mark = past.erased.get(key)
        if mark is not None and occurred_at <= mark.until and (mark.own or key == anchor):
            return True
    return False


def is_outdated(past: Past | None, pair: Iterable[NodeKey], order: int) -> bool:
    """Whether a command about two identifiers was given before one of them was erased."""
    return past is not None and any(key in past.erased and past.erased[key].order > order for key in pair)


def joined(past: Past | None, other: Past | None) -> Past | None:
    """What two components remember together."""
    if past is None or other is None:
        return past or other
    redirects = dict(past.redirects)
    for gone, lapses in other.redirects.items():
        redirects[gone] = max(lapses, redirects.get(gone, lapses))
    return Past(_joined(past.erased, other.erased), redirects)


def erasing(past: Past | None, marks: Mapping[NodeKey, Mark], ended: Collection[NodeKey] = ()) -> Past:
    """With more identifiers erased, and without the redirects of those that ended by it."""
    known = past or Past()
    return Past(_joined(known.erased, marks), {gone: lapses for gone, lapses in known.redirects.items() if gone not in ended})


def redirecting(past: Past | None, more: Mapping[NodeKey, Instant], living: Collection[NodeKey]) -> Past | None:
    """With more redirects, and without those of customers who live again."""
    if not more and (past is None or not past.redirects):
        return past
    known = past or Past()
    redirects = {gone: lapses for gone, lapses in {**known.redirects, **more}.items() if gone not in living}
    return Past(known.erased, redirects)


def lapsed_redirect(past: Past | None, gone: NodeKey, lapses: Instant) -> Past | None:
    """Without a redirect that is kept until exactly then; None where there is none such."""
    if past is None or past.redirects.get(gone) != lapses:
        return None
    return Past(past.erased, {other: until for other, until in past.redirects.items() if other != gone})


def lapsed_erasures(past: Past | None, now: Instant) -> Past | None:
    """Without the erasures that need be remembered no longer; None where there are none such. The rest stays: versions never go back."""
    if past is None or not any(mark.until + ERASED_KEPT <= now for mark in past.erased.values()):
        return None
    return Past({key: mark for key, mark in past.erased.items() if mark.until + ERASED_KEPT > now}, past.redirects)


class Parted(NamedTuple):
    """The customers before: those who live on or are others' now; of them those who were erased, while others have touches of theirs; and those of
    whom nothing is left."""

    remaining: tuple[Person, ...]
    ended: tuple[Person, ...]
    erased: tuple[Person, ...]


def parted(before: Iterable[Person], after: Iterable[Person], members: Collection[NodeKey]) -> Parted:
    """Sort customers by what became of them; `members`: the identifiers that were erased, which may have begun again."""
    held = {fragment for person in after for fragment in person.fragments if fragment not in members}
    remaining: list[Person] = []
    ended: list[Person] = []
    erased: list[Person] = []
    for person in before:
        if held.isdisjoint(person.fragments):
            erased.append(person)
            continue
        remaining.append(person)
        if person.canonical in members:
            ended.append(person)
    return Parted(tuple(remaining), tuple(ended), tuple(erased))


def _joined(marks: Mapping[NodeKey, Mark], more: Mapping[NodeKey, Mark]) -> dict[NodeKey, Mark]:
    joint = dict(marks)
    for key, mark in more.items():
        known = joint.get(key)
        joint[key] = mark if known is None else Mark(max(mark.until, known.until), max(mark.order, known.order), mark.own or known.own)
    return joint
