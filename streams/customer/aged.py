"""What lives on of interactions that are older than a timeline holds: totals, per fragment.

The rule this module owns: totals can be added. A fragment's row is the part of a state that needs no order between fragments (what the reducers
make of its interactions, no rule's memory); those of several fragments are joined by sum, least, greatest and latest, in any order.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas import money
from streams.boundary import Rows
from streams.customer import reducers, room
from streams.customer.reducers import cases, consent, identifiers, traits
from streams.customer.state import NAMES_MAX, Case, Seen, State, Totals, trim
from streams.customer.timeline import Held
from streams.rows import AGED, TIMELINE, NodeKey, Touch, decode_touch

FORMAT = 2

V = TypeVar("V")


class Aged(Struct, array_like=True, frozen=True, gc=False):
    """The totals of a fragment: a state without journeys, segments, moments and memory."""

    state: State
    format: int = FORMAT


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Aged).decode
_NOTHING = State()


def _written(state: State) -> bytes:
    return _ENCODE(Aged(state))


def read(row: bytes) -> State:
    """The totals in a row; ValueError where its format is another."""
    found = _DECODE(row)
    if found.format != FORMAT:
        raise ValueError(f"a row of totals of format {found.format}")
    return found.state


def take(rows: Rows, going: Sequence[Held]) -> list[Touch]:
    """Take interactions (sorted) out of their timelines and add them to their fragments' totals; the interactions, in order."""
    touches = [decode_touch(each.entry.touch) for each in going]
    by_fragment: dict[NodeKey, list[Touch]] = {}
    for each, touch in zip(going, touches, strict=True):
        by_fragment.setdefault(each.fragment, []).append(touch)
        for key in each.keys:
            rows.put(TIMELINE, key, None)
    fragments = list(by_fragment)
    found = rows.get(AGED, fragments)
    for fragment, row in zip(fragments, found, strict=True):
        state = State() if row is None else read(row)
        for touch in by_fragment[fragment]:
            _count(state, touch)
        rows.put(AGED, fragment, room.written(_written, state, _NOTHING))
    return touches


def without(state: State, is_gone: Callable[[str], bool]) -> State | None:
    """The state without identifiers (type:value) that are gone; None where it names none of them."""
    gone = {name for name in state.identifiers if is_gone(name)}
    if not gone:
        return None
    marks = set(consent.marked(gone))
    return replace(
        state,
        identifiers={name: seen for name, seen in state.identifiers.items() if name not in gone},
        consent={
            about: tuple(replace(one, under=tuple([mark for mark in one.under if mark not in marks])) for one in given)
            for about, given in state.consent.items()
        },
    )


def forget(rows: Rows, fragments: Iterable[NodeKey], is_gone: Callable[[str], bool]) -> None:
    """Take identifiers that are gone out of these fragments' totals."""
    for fragment in fragments:
        (row,) = rows.get(AGED, [fragment])
        state = None if row is None else without(read(row), is_gone)
        if state is not None:
            rows.put(AGED, fragment, _ENCODE(Aged(state)))


def totals(rows: Rows, fragments: Sequence[NodeKey]) -> State:
    """The totals of all these fragments."""
    return joined([read(row) for row in rows.get(AGED, fragments) if row is not None])


def joined(parts: Iterable[State]) -> State:
    """One state out of several fragments' totals, whatever their order."""
    ordered = sorted((part for part in parts if part.newest is not None), key=lambda part: part.newest or (0, "", ""))
    if not ordered:
        return State()
    newest = ordered[-1]
    return State(
        newest=newest.newest,
        received_at=newest.received_at,
        replayed=newest.replayed,
        interactions=sum(part.interactions for part in ordered),
        first_at=min(part.first_at for part in ordered),
        identifiers=identifiers.bounded(
            _by_name([part.identifiers for part in ordered], lambda _, one, other: (min(one[0], other[0]), max(one[1], other[1])))
        ),
        traits=_trimmed(_by_name([part.traits for part in ordered], traits.survivor), lambda trait: trait.occurred_at),
        consent=consent.bounded(_by_name([part.consent for part in ordered], lambda _, one, other: consent.joined(one, other))),
        channels=_trimmed(_by_name([part.channels for part in ordered], _counts), _last),
        touchpoints=_trimmed(_by_name([part.touchpoints for part in ordered], _counts), _last),
        sources=_trimmed(_by_name([part.sources for part in ordered], lambda _, one, other: max(one, other)), int),
        cases=cases.bounded(_by_name([part.cases for part in ordered], _case)),
        accounts=_trimmed(_by_name([part.accounts for part in ordered], lambda _, one, other: max(one, other)), int),
        totals=_by_name([part.totals for part in ordered], _sums),
        language=next((part.language for part in reversed(ordered) if part.language is not None), None),
        timezone=next((part.timezone for part in reversed(ordered) if part.timezone is not None), None),
    )


def _count(state: State, touch: Touch) -> None:
    """Let the reducers, and no rule, see an interaction; the state is the caller's own."""
    state.newest = (touch.occurred_at, touch.id, touch.source)
    state.received_at, state.replayed = touch.received_at, touch.replayed
    if not state.interactions:
        state.first_at = touch.occurred_at
    state.interactions += 1
    reducers.reduce(state, [touch])


def _by_name(parts: Sequence[dict[str, V]], join: Callable[[str, V, V], V]) -> dict[str, V]:
    found: dict[str, V] = {}
    for part in parts:
        for name, value in part.items():
            held = found.get(name)
            found[name] = value if held is None else join(name, held, value)
    return found


def _trimmed(named: dict[str, V], last: Callable[[V], int]) -> dict[str, V]:
    while len(named) > NAMES_MAX:
        trim(named, last)
    return named


def _last(seen: Seen) -> int:
    return seen[1]


def _counts(_: str, one: Seen, other: Seen) -> Seen:
    return one[0] + other[0], max(one[1], other[1])


def _case(_: str, one: Case, other: Case) -> Case:
    earlier, later = sorted((one, other), key=lambda case: (case.updated_at, case.opened_at))
    return Case(
        later.topic or earlier.topic,
        min(one.opened_at, other.opened_at),
        later.updated_at,
        (*earlier.channels, *(channel for channel in later.channels if channel not in earlier.channels))[: cases.CHANNELS_MAX],
        later.owner or earlier.owner,
        earlier.solved_at if later.solved_at is None else later.solved_at,
    )


def _sums(_: str, one: Totals, other: Totals) -> Totals:
    return Totals(
        one.orders + other.orders,
        _plus(one.revenue, other.revenue),
        one.cancellations + other.cancellations,
        _plus(one.cancelled, other.cancelled),
        one.refunds + other.refunds,
        _plus(one.refunded, other.refunded),
    )


def _plus(one: str, other: str) -> str:
    return money.text(money.add(Decimal(one), Decimal(other)))
