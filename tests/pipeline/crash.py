"""Workers that are killed while they have work to do, one after the other, and the run that comes of it.

The rule this module owns: a kill counts only where it left records that nobody had finished, more than one batch of them. The input comes in
portions: whatever lies on its topic is taken in before the customers' partitions are restored, and a worker that is killed early in its life would
never get to them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from streams.engine import FAIL_POINTS
from tests.pipeline import sources
from tests.pipeline.harness import Pipeline
from tests.pipeline.outcome import Outcome
from tests.pipeline.sources import Source

BATCH_RECORDS_MAX = 200
PARTITIONS = 4
PORTION_LINES = 1_000
DUPLICATES = 0.05
HITS_AT_THE_START = {"after_fence": 3, "during_restore": 1, "after_restore": 2, "after_position": 5}
"""Reached once a partition and start; the others once a batch."""
IN_A_TRANSACTION = ("after_begin", "after_outputs", "after_changelog", "after_offsets", "before_commit", "during_commit")
"""Where a kill leaves a transaction open."""
OUTSIDE = tuple(name for name in FAIL_POINTS if name not in IN_A_TRANSACTION)


class Kill(NamedTuple):
    """Where a worker dies, at which hit, and whether its state goes with it."""

    failpoint: str
    hit: int
    deleted: bool


def kills(failpoints: Sequence[str], batches: int) -> list[Kill]:
    """One at each, after about so many batches; every third with its state deleted, also the one before a restore, so that there is one."""
    planned = []
    for number, (name, following) in enumerate(zip(failpoints, [*failpoints[1:], ""], strict=True)):
        hit = HITS_AT_THE_START.get(name) or batches + number % 3
        planned.append(Kill(name, hit, number % 3 == 2 or following == "during_restore"))
    return planned


class Killed(NamedTuple):
    """What came of it; how many records each kill left to do, and how many kills left rows in an open transaction."""

    outcome: Outcome
    left: list[int]
    torn: int


def killed_run(bootstrap: str, directory: Path, source: Source, planned: Sequence[Kill]) -> Killed:
    """A portion comes before each worker. Each is killed with work left, the next one goes on; the last one gets the rest and finishes."""
    portions = sources.portions(source, directory / "portions", PORTION_LINES, len(planned))
    left, torn = [], 0
    settings = {"batch_records_max": BATCH_RECORDS_MAX, "instance_id": "one"}
    with Pipeline(bootstrap, directory / "run", PARTITIONS, source.journeys, **settings) as pipeline:
        for number, kill in enumerate(planned):
            pipeline.play(portions[number], number, DUPLICATES)
            worker = pipeline.worker("one", f"{kill.failpoint}:{kill.hit}:kill")
            worker.await_killed()
            torn += pipeline.is_open(pipeline.changelog)  # Before Kafka ends it, which it does in ten seconds.
            left.append(pipeline.records_left())
            assert left[-1] > BATCH_RECORDS_MAX, f"{kill} left {left[-1]} records"
            if kill.deleted:
                shutil.rmtree(worker.directory)
        pipeline.play(portions[-1], len(planned), DUPLICATES)
        last = pipeline.worker("one")
        pipeline.await_settled([last])
        last.stop()
        return Killed(pipeline.outcome(), left, torn)
