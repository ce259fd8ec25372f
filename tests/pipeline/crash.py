"""Workers that are killed while they have work to do, one after the other, and the run that comes of it.

The rule this module owns: a kill counts only where it left interactions that nobody had finished, more than one batch of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from streams.engine import FAIL_POINTS
from tests.pipeline.harness import Pipeline
from tests.pipeline.outcome import Outcome
from tests.pipeline.sources import Source

BATCH_RECORDS_MAX = 200
PARTITIONS = 4
AT_THE_START = ("after_fence", "during_restore", "after_restore", "after_position")
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
    following = [*failpoints[1:], ""]
    return [
        Kill(
            name, 1 + number % 3 if name in AT_THE_START else batches + number % 3, number % 3 == 2 or following[number] == "during_restore"
        )
        for number, name in enumerate(failpoints)
    ]


def killed_run(bootstrap: str, directory: Path, source: Source, planned: Sequence[Kill]) -> Outcome:
    """All is there before the first worker starts. Each is killed with work left, the next goes on; the last one finishes."""
    with Pipeline(bootstrap, directory, source, PARTITIONS, batch_records_max=BATCH_RECORDS_MAX, instance_id="one") as pipeline:
        pipeline.play(shuffle_seed=len(planned), duplicates=0.05)
        for kill in planned:
            worker = pipeline.worker("one", f"{kill.failpoint}:{kill.hit}:kill")
            worker.await_killed()
            left = pipeline.interactions_left()
            assert left > BATCH_RECORDS_MAX, f"{kill} with {left} interactions left"
            if kill.deleted:
                shutil.rmtree(worker.directory)
        last = pipeline.worker("one")
        pipeline.await_settled([last])
        last.stop()
        return pipeline.outcome()
