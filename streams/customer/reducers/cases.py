"""Cases: opened, updated, solved, and the channels they cross."""

from schemas.interaction import EVENTS
from streams.customer.state import NAMES_MAX, Case, State
from streams.rows import Touch

SOLVED_MAX = 20
"""How many solved cases are remembered; of more, the one updated longest ago is forgotten."""
OPEN_MAX = NAMES_MAX
"""How many open ones, likewise."""
CHANNELS_MAX = 20
"""How many channels of a case are remembered, the first ones."""


def reduce(state: State, touch: Touch) -> None:
    """Every interaction that names a case belongs to it; `Case Opened` and `Case Solved` open and close it."""
    case_id = touch.case_id
    if case_id is None:
        return
    at, meaning, case = touch.occurred_at, EVENTS.get(touch.event), state.cases.get(case_id)
    if case is None:
        case = Case(touch.topic, at, at, (), None)
    channels = case.channels
    if touch.channel and touch.channel not in channels and len(channels) < CHANNELS_MAX:
        channels = (*channels, touch.channel)
    solved_at = at if meaning == "case_solved" else None if meaning == "case_opened" else case.solved_at
    after = Case(touch.topic or case.topic, case.opened_at, at, channels, touch.department or case.owner, solved_at)
    state.cases = bounded({**state.cases, case_id: after})


def bounded(named: dict[str, Case]) -> dict[str, Case]:
    """Forget, of more cases than are remembered, those updated longest ago; the dict is the caller's own."""
    if len(named) > SOLVED_MAX:
        solved = [name for name, known in named.items() if known.solved_at is not None]
        waiting = [name for name, known in named.items() if known.solved_at is None]
        for names, most in ((solved, SOLVED_MAX), (waiting, OPEN_MAX)):
            if len(names) > most:
                for name in sorted(names, key=lambda name: (named[name].updated_at, name))[: len(names) - most]:
                    del named[name]
    return named
