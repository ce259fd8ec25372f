"""What is told of a batch costs at most a hundredth of deciding it: in instructions of the interpreter, which do not depend on what else a machine does."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry

from connectors.simulator import simulate
from schemas import topics
from streams import app
from streams.boundary import Decision
from streams.customer import decision
from streams.customer.census import Moves
from streams.dials import Dials
from streams.engine.batch import Batch
from streams.engine.metrics import Metrics
from tests.laws.memory import Memory

BATCH = 400
"""What a worker that has enough to do decides in a tenth of a second, which is what a batch aims at."""
WARM = 4_000
SHARE_MAX = 0.01
SENSORS: tuple[Callable[..., Any], ...] = (Dials.count, Metrics.batch, decision._gauges, decision._since, Moves.__init__, Moves.settle)
PHASES = dict.fromkeys(("wait", "decide", "outputs", "changelog", "commit", "store"), 0.01)


class Counted:
    """Instructions executed while it is installed: all of them, and those of sensors with whatever they call."""

    def __init__(self) -> None:
        self.all = self.sensors = 0
        self._inside = 0
        self._codes: set[CodeType] = {sensor.__code__ for sensor in SENSORS}

    def __call__(self, frame: FrameType, what: str, _: object) -> Any:
        if what == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            self._inside += frame.f_code in self._codes
        elif what == "opcode":
            self.all += 1
            self.sensors += self._inside > 0
        elif what == "return":
            self._inside -= frame.f_code in self._codes
        return self


class Whole(random.Random):
    """Chance by which every batch is as large as it may be."""

    def randint(self, a: int, b: int) -> int:
        """The greater."""
        return b


def test_what_is_told_of_a_batch_costs_a_hundredth_of_deciding_it_at_most(tmp_path: Path) -> None:
    """Beside it, what each interaction adds on the way (a label of its source and channel) is in what is decided."""
    lines = simulate(600, 11, tmp_path).interactions_path.read_bytes().splitlines()[: WARM + BATCH]
    memory = Memory(app.rules_of(("brand",)), 1, batch=BATCH, replayed=False)
    registry = CollectorRegistry()
    dials, metrics, counted = Dials(lambda: [(topics.IDENTITY, 0)], registry), Metrics(registry), Counted()
    decide = memory.decide

    def told(topic: str, records: Any, rows: Any) -> Decision:
        decided = decide(topic, records, rows)
        batch = SimpleNamespace(topic=topic, partition=0, records=records, rows=SimpleNamespace(asked=1, read=1))
        metrics.batch(cast(Batch, batch), PHASES, 0.01)
        dials.count(topic, 0, decided, 0.01)
        return decided

    memory.decide = told  # type: ignore[method-assign]  # as the engine does at each commit
    for line in lines[:WARM]:
        memory.produce(line)
    memory.run()
    for line in lines[WARM:]:
        memory.produce(line)
    memory._random = Whole(1)
    sys.settrace(counted)
    try:
        memory.run()
        memory.tick()
    finally:
        sys.settrace(None)

    assert counted.all > BATCH * 2_000
    assert 0 < counted.sensors < SHARE_MAX * counted.all
