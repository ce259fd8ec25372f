"""What is remembered of one customer: the state a fold makes, and the row it is kept in.

The rule this module owns: a state is a value. Only customer/fold.py changes one, and only its own copy (`copied`): of the parts that it copied
the names, of all others the whole part, which states share. What dicts and lists hold is never changed in place. Equal timelines under equal
rules give equal bytes.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streams.language import Rulebook
from streams.rows import Touch, Written

FORMAT = 4
NAMES_MAX = 200
"""How many traits, touchpoints, sources or accounts a state remembers: senders choose the names."""

V = TypeVar("V")

Seen = tuple[int, int]
"""Of an identifier: first and last seen; of a channel or a touchpoint: how often and when last."""
Order = tuple[int, str, str]
"""Where an interaction stands in a timeline: occurred_at, id, source. Text compares as its UTF-8 bytes do."""


class Trait(Struct, array_like=True, frozen=True, gc=False):
    """A trait that survived: its value, who said so, as whose data, and when."""

    value: str | int | bool | None
    source: str
    party: str
    occurred_at: int


class ConsentGiven(Struct, array_like=True, frozen=True, gc=False):
    """One decision for a purpose and a channel, and the identifiers under which it was made, by what
    consent.py's `marked` makes of them: only one of those takes it back."""

    state: str
    basis: str | None
    since: int
    under: tuple[bytes, ...]


class Case(Struct, array_like=True, frozen=True, gc=False):
    """A case: what about, since when, through which channels, whose; open until it has a time of solution."""

    topic: str | None
    opened_at: int
    updated_at: int
    channels: tuple[str, ...]
    owner: str | None
    solved_at: int | None = None


class Totals(Struct, array_like=True, frozen=True, gc=False):
    """In one currency; amounts as exact decimals in one form, what was taken back above zero."""

    orders: int = 0
    revenue: str = "0"
    cancellations: int = 0
    cancelled: str = "0"
    refunds: int = 0
    refunded: str = "0"


class Position(Struct, array_like=True, frozen=True, gc=False):
    """Where the customer stands in a journey, since when, and by which interaction, by name (at `deadline`: by the deadline that it had set)."""

    stage: str
    since: int
    by: str
    deadline: int | None = None


class State(Struct, array_like=True, gc=False):
    """One customer as of the newest interaction folded and the last deadline that fell due. `memory` and `due` are the rulebook's slots."""

    newest: Order | None = None
    drained: int = 0
    received_at: int = 0
    replayed: bool = False
    interactions: int = 0
    first_at: int = 0
    identifiers: dict[str, Seen] = {}
    traits: dict[str, Trait] = {}
    consent: dict[str, tuple[ConsentGiven, ...]] = {}
    channels: dict[str, Seen] = {}
    touchpoints: dict[str, Seen] = {}
    sources: dict[str, int] = {}
    cases: dict[str, Case] = {}
    accounts: dict[str, int] = {}
    totals: dict[str, Totals] = {}
    language: str | None = None
    timezone: str | None = None
    journeys: dict[str, Position] = {}
    segments: dict[str, int] = {}
    moments: dict[str, Seen] = {}
    memory: list[Any] = []
    due: list[int | None] = []


@lru_cache(maxsize=16)
def empty(rulebook: Rulebook) -> State:
    """A customer before its first interaction; one for all."""
    return State(memory=list(rulebook.initial), due=[None] * len(rulebook.deadlines))


def copied(state: State) -> State:
    """A state that may be changed without changing this one: its own are the parts that every interaction changes, all others are to be replaced."""
    return replace(
        state,
        identifiers=state.identifiers.copy(),
        channels=state.channels.copy(),
        touchpoints=state.touchpoints.copy(),
        sources=state.sources.copy(),
    )


def trim(named: dict[str, V], last: Callable[[V], int], most: int = NAMES_MAX) -> None:
    """Forget the one heard of longest ago where a part of a state that is being folded holds more names than it may."""
    if len(named) > most:
        del named[min(named, key=lambda name: (last(named[name]), name))]


def next_deadline(state: State) -> int | None:
    """The earliest instant at which time alone may change the state."""
    earliest: int | None = None
    for due in state.due:
        if due is not None and (earliest is None or due < earliest):
            earliest = due
    return earliest


def follows(state: State, touch: Touch) -> bool:
    """Whether an interaction may be folded onto the state: after the newest in it, and after every deadline that has fallen due."""
    return touch.occurred_at > state.drained and (state.newest is None or (touch.occurred_at, touch.id, touch.source) > state.newest)


class Mark(Struct, array_like=True, frozen=True, gc=False):
    """How far a customer's timeline reaches back: what occurred at `cut` or before it is in totals. It is looked at again when there are more than
    `interactions` in the state, or one is newer than `instant`."""

    cut: int
    interactions: int = 0
    instant: int = 0


class FoldRow(Struct, array_like=True, frozen=True, gc=False):
    """A customer's row: under which rules and up to when it was folded, its state, its live outputs (emissions.encode's bytes, read when needed),
    and where its timeline begins (None: with its first interaction)."""

    rulebook: str
    version: int
    as_of: int
    next_deadline: int | None
    state: State
    kept: bytes
    format: int = FORMAT
    mark: Mark | None = None


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(FoldRow).decode
_DECODE_STATE = msgspec.msgpack.Decoder(State).decode


def encode_row(row: FoldRow) -> bytes:
    """Write a fold row: equal rows, equal bytes."""
    return _ENCODE(row)


def decode_row(written: bytes) -> FoldRow:
    """Read a fold row; ValueError where its format is another."""
    row = _DECODE(written)
    if row.format != FORMAT:
        raise ValueError(f"a fold row of format {row.format}")
    return row


def opened(row: bytes) -> FoldRow:
    """A fold row as rows hold it; what was read of it is kept beside it."""
    if not isinstance(row, Written):
        return decode_row(row)
    if not isinstance(row.opened, FoldRow):
        row.opened = decode_row(row)
    return row.opened


def sealed(row: FoldRow) -> Written:
    """A fold row as rows hold it; whoever asks for it next need not read it."""
    written = Written(_ENCODE(row))
    written.opened = row
    return written


def encode_state(state: State) -> bytes:
    """Write a state: equal states, equal bytes."""
    return _ENCODE(state)


def decode_state(written: bytes) -> State:
    """Read a state as a checkpoint keeps it."""
    return _DECODE_STATE(written)
