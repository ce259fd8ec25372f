"""One event's way goes forward through the files that CONTRIBUTING and README name, and none of them calls one before it."""

import sys
from pathlib import Path
from types import FrameType

from streams.journeys import retail
from streams.language import rulebook
from tests.laws.memory import Memory

WAY = (
    "streams/intake/steps.py",
    "streams/customer/decision.py",
    "streams/identity/protocol.py",
    "streams/customer/timeline.py",
    "streams/customer/fold.py",
    "streams/customer/publish.py",
)
"""After agents.py, which the engine drives; decision calls the four behind it in turn."""
ROOT = Path(__file__).parents[2]
ORDER = {"userId": "42", "event": "Order Completed", "timestamp": "2026-01-01T00:00:00Z", "properties": {"revenue": 40, "currency": "GBP"}}


def test_an_interaction_goes_forward_only() -> None:
    memory = Memory(rulebook(retail), 1)
    memory.produce(ORDER)
    met: list[str] = []
    back: list[tuple[str, str]] = []

    def trace(frame: FrameType, what: str, _: object) -> None:
        place = _place(frame)
        if what != "call" or place not in WAY:
            return
        if not met or met[-1] != place:
            met.append(place)
        caller = frame.f_back
        while caller is not None:
            above = _place(caller)
            if above in WAY and WAY.index(above) > WAY.index(place):
                back.append((above, place))
            caller = caller.f_back

    sys.setprofile(trace)
    try:
        memory.run()
    finally:
        sys.setprofile(None)

    first = list(dict.fromkeys(met))
    assert first == list(WAY)
    assert back == []


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
