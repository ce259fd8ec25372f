"""The fold: interactions and deadlines in one order, each shown to the rules that need it.

Its rules: deadlines that lie before an interaction fall due before it, one at the very instant of an interaction after it; among deadlines at
one instant, in the order in which the rulebook has them. Folding a, then b, equals folding a + b; what is passed in is left as it was.
"""

from collections.abc import Sequence

from msgspec import Struct

from streams.customer import judging, reducers
from streams.customer.emissions import Emission
from streams.customer.state import State, copied, next_deadline
from streams.language import Rulebook
from streams.language.compile import Facts
from streams.language.rulebook import Plan
from streams.rows import Touch


class Folded(Struct, frozen=True, gc=False):
    """The state after, what was said on the way, and the instant at which time alone may next change it."""

    state: State
    emissions: list[Emission]
    next_deadline: int | None


def fold(state: State, touches: Sequence[Touch], until: int, rulebook: Rulebook) -> Folded:
    """Fold interactions, sorted by `touch.order` and each one that `state.follows` lets on, and every deadline up to and at `until`."""
    waiting = next_deadline(state)
    said: list[Emission] = []
    if not touches and (waiting is None or waiting > until):
        return Folded(state, said, waiting)
    after, facts = copied(state), None
    if touches:
        first, newest = touches[0], touches[-1]
        after.newest = (newest.occurred_at, newest.id, newest.source)
        after.first_at = after.first_at if after.interactions else first.occurred_at
        after.interactions += len(touches)
        reducers.reduce(after, touches)
    for touch in touches:
        at = touch.occurred_at
        if waiting is not None and waiting < at:
            facts = facts or _facts(after)
            waiting = _drain(after, facts, waiting, at - 1, rulebook, said)
        after.received_at = touch.received_at
        after.replayed = touch.replayed
        plan = rulebook.plan(touch.event)
        if judging.concerns(plan, after):
            facts = facts or _facts(after)
            facts.meet(touch)
            _show(after, facts, plan, said)
            if plan.waits:
                waiting = next_deadline(after)
    if waiting is not None and waiting <= until:
        waiting = _drain(after, facts or _facts(after), waiting, until, rulebook, said)
    return Folded(after, said, waiting)


def _facts(state: State) -> Facts:
    """What rules look at; of what they change the state gets its own copy."""
    state.memory, state.due, state.journeys = state.memory.copy(), state.due.copy(), state.journeys.copy()
    return Facts(state.memory, state.due, state.journeys, state.segments)


def _drain(state: State, facts: Facts, first: int, until: int, rulebook: Rulebook, said: list[Emission]) -> int | None:
    """Let every deadline up to and at `until` fall due, earliest first; `first` is the earliest. What is then the next one."""
    deadline: int | None = first
    while deadline is not None and deadline <= until:
        fired = state.due.index(deadline)
        state.due[fired] = None
        state.drained = deadline
        facts.strike(deadline, fired)
        _show(state, facts, rulebook.at_deadline[fired], said)
        deadline = next_deadline(state)
    return deadline


def _show(state: State, facts: Facts, plan: Plan, said: list[Emission]) -> None:
    if plan.steps:
        memory, before = facts.memory, facts.before
        for slot, step in plan.steps:
            held = memory[slot]
            after = step(held, facts)
            if after is not held:
                before[slot] = held
                memory[slot] = after
    judging.judge(state, facts, plan, said)
