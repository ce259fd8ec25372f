"""The fold: interactions and deadlines in one order, each shown to the rules that need it.

Its rules: deadlines that lie before an interaction fall due before it, one at the very instant of an interaction after it; among deadlines at
one instant, in the order in which the rulebook has them. Folding a, then b, equals folding a + b; what is passed in is left as it was.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streams.customer import judging, reducers
from streams.customer.emissions import Emission
from streams.customer.state import State, copied, next_deadline
from streams.language import Rulebook
from streams.language.compile import Facts
from streams.language.rulebook import Plan
from streams.rows import Touch


class Folded(NamedTuple):
    """The state after, what was said on the way, and the instant at which time alone may next change it."""

    state: State
    emissions: list[Emission]
    next_deadline: int | None


def fold(state: State, touches: Iterable[Touch], until: int, rulebook: Rulebook) -> Folded:
    """Fold interactions, sorted by `touch.order` and each one that `state.follows` lets on, and every deadline up to and at `until`."""
    after = copied(state)
    facts = Facts(after.memory, after.due, after.journeys, after.segments)
    said: list[Emission] = []
    for touch in touches:
        _drain(after, facts, touch.occurred_at - 1, rulebook, said)
        _meet(after, facts, touch, rulebook, said)
    _drain(after, facts, until, rulebook, said)
    return Folded(after, said, next_deadline(after))


def _meet(state: State, facts: Facts, touch: Touch, rulebook: Rulebook, said: list[Emission]) -> None:
    state.newest = (touch.occurred_at, touch.id, touch.source)
    state.received_at, state.replayed = touch.received_at, touch.replayed
    if not state.interactions:
        state.first_at = touch.occurred_at
    state.interactions += 1
    for reduce in reducers.of(touch.event):
        reduce(state, touch)
    facts.meet(touch)
    _show(state, facts, rulebook.plan(touch.event), said)


def _drain(state: State, facts: Facts, until: int, rulebook: Rulebook, said: list[Emission]) -> None:
    """Let every deadline up to and at `until` fall due, earliest first."""
    while (deadline := next_deadline(state)) is not None and deadline <= until:
        fired = state.due.index(deadline)
        state.due[fired] = None
        state.drained = deadline
        facts.strike(deadline, fired)
        _show(state, facts, rulebook.at_deadline[fired], said)


def _show(state: State, facts: Facts, plan: Plan, said: list[Emission]) -> None:
    memory, before = facts.memory, facts.before
    for slot, step in plan.steps:
        held = memory[slot]
        after = step(held, facts)
        if after is not held:
            before[slot] = held
            memory[slot] = after
    judging.judge(state, facts, plan, said)
