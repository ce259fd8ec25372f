"""A profile once nothing is left to do: as it would be published at an instant at which nothing happens.

The rule this module owns: beside its version and the times of its publication it is a function of the interactions. What it says of its last batch
gives way to what the state says: the newest interaction, or the deadline that fell due last; and nothing has changed.
"""

from msgspec.structs import replace

from schemas.profile import Profile
from streams.customer import emissions, view
from streams.customer.changed import EMOTION, IRRITATION
from streams.customer.state import FoldRow
from streams.instants import Instant, text
from streams.language import Rulebook
from streams.rows import id_of


def profile(published: Profile, row: FoldRow, until: Instant | None, rulebook: Rulebook) -> Profile:
    """The newest profile of a customer with this row, as of `until` or what it was folded up to, whichever is later (None: as of its row)."""
    state = row.state
    assert state.newest is not None
    newest, message_id, _ = state.newest
    as_of = row.as_of if until is None else max(until, newest, state.drained)
    cause = view.cause(message_id, None)
    if state.drained >= newest:
        cause = view.cause(_setter(row), state.drained)
    return replace(
        published,
        occurred_at=text(max(newest, state.drained)),
        evidence=[message_id] if cause.message_id is None else [cause.message_id],
        as_of=text(as_of),
        cause=cause,
        changed=[],
        emotion=view.balance(state, rulebook, EMOTION, as_of),
        irritation=view.balance(state, rulebook, IRRITATION, as_of),
    )


def _setter(row: FoldRow) -> str | None:
    """The interaction that set the last deadline, by what stands of what was said at it, else by where it led; None where neither is left."""
    kept = [live.emission for live in emissions.decode(row.kept).live.values()]
    said = [emission.message_id for emission in kept if emission.deadline == row.state.drained]
    led = [id_of(position.by) for position in row.state.journeys.values() if position.deadline == row.state.drained]
    return min(said or led, default=None)
