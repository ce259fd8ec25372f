"""How many customers of a partition stand where, and how large the largest component is that it has seen.

The rule this module owns: nobody is counted, only who moved: a batch adds where its customers stand now and takes away where they stood. So a census costs
nothing while nobody moves, and a customer whose rows go to another partition need not be told of: the sum over all partitions holds, that of one alone may
be below zero.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from streams import rows as kinds
from streams.boundary import Gauges, Rows
from streams.customer.customers import Customer, Redirect
from streams.customer.state import FoldRow
from streams.identity.settling import Change
from streams.rows import Person

PARTITION = b""


class Census(Struct, array_like=True, frozen=True, gc=False):
    """Customers by journey and stage, and the identifiers of the largest component."""

    stages: dict[str, dict[str, int]] = {}
    largest: int = 0


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Census).decode


class Moves:
    """Who stood where before a batch, and who moved by it."""

    def __init__(self, had: Mapping[bytes, FoldRow]) -> None:
        self._had = dict(had)  # Who is erased is taken out of the other.

    def settle(self, rows: Rows, changed: Sequence[Customer], gone: Sequence[Redirect], changes: Sequence[Change]) -> None:
        """Keep what moved, and the size of the largest component whose people changed, where none was larger before."""
        left = {redirect.gone for redirect in gone}
        largest = max([_size(change.after) for change in changes if change.before is not change.after], default=0)
        for change in changes:
            if change.erased or change.ended:
                left.update([person.canonical for person in (*change.erased, *change.ended)])
        moves = self._moves(changed, left)
        if not moves and not largest:
            return
        census = _read(rows)
        if not moves and largest <= census.largest:
            return
        stages = {journey: dict(counts) for journey, counts in census.stages.items()}
        for (journey, stage), number in moves.items():
            counts = stages.setdefault(journey, {})
            counts[stage] = counts.get(stage, 0) + number
        rows.put(kinds.CENSUS, PARTITION, _ENCODE(Census(stages, max(largest, census.largest))))

    def _moves(self, changed: Sequence[Customer], left: set[bytes]) -> dict[tuple[str, str], int]:
        """By journey and stage, how many more stand there; `left`: who is no more, unless it is among those who changed."""
        came: list[tuple[str, str]] = []
        went: list[tuple[str, str]] = []
        if left:
            left.difference_update([customer.person.canonical for customer in changed])
        # Most stand where they stood, and it is they whom this costs something.
        moved = [one for one in changed if one.before is None or one.before.state.journeys != one.after.state.journeys]
        for customer in moved:
            before, after = customer.before, customer.after.state.journeys
            if before is None:  # Or somebody who was erased, and is somebody new.
                before = self._had.get(customer.person.canonical)
            came += [(journey, position.stage) for journey, position in after.items()]
            if before is not None:
                went += [(journey, position.stage) for journey, position in before.state.journeys.items()]
        for canonical in left:
            row = self._had.get(canonical)
            if row is not None:
                went += [(journey, position.stage) for journey, position in row.state.journeys.items()]
        if not came and not went:
            return {}
        moves = Counter(came)
        moves.subtract(went)
        return {name: number for name, number in moves.items() if number}


def standing(rows: Rows) -> Gauges:
    """What there is to say of all the partition's customers."""
    census = _read(rows)
    found: dict[tuple[str, ...], float] = {("kairos_component_identifiers_max",): census.largest}
    for journey, stages in census.stages.items():
        for stage, number in stages.items():
            found["kairos_customers", journey, stage] = number
    return found


def _size(people: Sequence[Person]) -> int:
    return len(people[0].members) if len(people) == 1 else sum([len(person.members) for person in people])


def _read(rows: Rows) -> Census:
    (row,) = rows.get(kinds.CENSUS, [PARTITION])
    return Census() if row is None else _DECODE(row)
