"""The room that a customer's rows take, and what gives way where it is not enough: the last line of defence behind the bounds of each part.

The rule this module owns: no valid interactions, however many and however wide, make a row or a profile larger than a record may be; one that
was would stop its partition for good. Only a row that was encoded with LOOK_BYTES or more is looked at. Then names give way, those heard of
longest ago first; what rules remember begins anew, as under new rules; for what was said see horizon.py's `lighten`. Each is counted.

Up to there the laws of the fold hold. Beyond it, what is left of a state is a function of the state alone, whatever order its names came in, and of
channels and touchpoints those are left that were heard of last in all, whatever order the interactions came in; all that has no names is as it
would be with room. No function of the timeline are: how many names are left, how often one was heard of that was forgotten and came again, and
since when rules remember, for a row gives way in the batch in which it has become too large.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from streams.customer.reducers import consent
from streams.customer.state import NAMES_MAX, State

KIBIBYTE = 1024
LOOK_BYTES = 256 * KIBIBYTE
"""A state below this fits a profile, whatever its names are."""
NAMES_BYTES_MAX = 1_280 * KIBIBYTE
"""As JSON, where a character may take six bytes; a profile shows a name twice where it has changed."""
MEMORY_BYTES_MAX = 1_024 * KIBIBYTE
KEPT_BYTES_MAX = 1_408 * KIBIBYTE
"""With names and memory it stays below a record's 4 MiB."""
IDENTIFIERS_A_NAME = 5
"""So many identifiers are remembered for each name of another part."""

V = TypeVar("V")

_JSON = msgspec.json.Encoder().encode
_MSGPACK = msgspec.msgpack.Encoder().encode


def written(write: Callable[[State], bytes], state: State, bare: State) -> bytes:
    """What `write` makes of a state, or of as much of it as there is room for; `bare`: the state of somebody new under the same rules."""
    row = write(state)
    if len(row) < LOOK_BYTES:
        return row
    fitting, gave_way = fitted(state, bare)
    return write(fitting) if gave_way else row


def fitted(state: State, bare: State) -> tuple[State, list[str]]:
    """As much of a state as there is room for, and which parts gave way: `names`, `memory`."""
    gave_way = []
    if len(_MSGPACK(state.memory)) > MEMORY_BYTES_MAX:
        state = replace(state, memory=bare.memory, due=bare.due)
        gave_way.append("memory")
    most = NAMES_MAX
    while most > 1 and len(_JSON(replace(state, memory=[], due=[]))) > NAMES_BYTES_MAX:
        most //= 2
        state = _of_names(state, most)
        gave_way = [*gave_way[:1], "names"] if gave_way[:1] == ["memory"] else ["names"]
    return state, gave_way


def _of_names(state: State, most: int) -> State:
    """The state with so many names in each part."""
    return replace(
        state,
        identifiers=_newest(state.identifiers, most * IDENTIFIERS_A_NAME, lambda seen: seen[1]),
        traits=_newest(state.traits, most, lambda trait: trait.occurred_at),
        consent=_newest(state.consent, most, lambda given: (consent.in_force(given).state == "denied", consent.in_force(given).since)),
        channels=_newest(state.channels, most, lambda seen: seen[1]),
        touchpoints=_newest(state.touchpoints, most, lambda seen: seen[1]),
        sources=_newest(state.sources, most, int),
        cases=_newest(state.cases, most, lambda case: (case.solved_at is None, case.updated_at)),
        accounts=_newest(state.accounts, most, int),
        totals=_newest(state.totals, most, lambda of: of.orders + of.cancellations + of.refunds),
    )


def _newest(named: dict[str, V], most: int, rank: Callable[[V], Any]) -> dict[str, V]:
    if len(named) <= most:
        return named
    kept = set(sorted(named, key=lambda name: (rank(named[name]), name))[-most:])
    return {name: value for name, value in named.items() if name in kept}
