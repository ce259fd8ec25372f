"""Killed over and over without transactions, on people who merge: messages and outputs come again, and the customers are those of an undisturbed run.

The rule this module owns: states are exact. Of the emissions the guarantee promises less: a batch that was torn and is done again with more records
may decide otherwise, and what its first attempt had said nobody takes back. So at most one may differ for each kill.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.consumer import read_topic
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from streams.engine.failpoints import WITHOUT_TRANSACTIONS
from tests.pipeline import crash, sources
from tests.pipeline.harness import Pipeline
from tests.pipeline.outcome import EMITTED

pytestmark = pytest.mark.faults

PEOPLE = 2_000
SETTINGS = {"guarantee": "at_least_once", "batch_records_max": crash.BATCH_RECORDS_MAX, "instance_id": "one"}
AT_A_BATCH = tuple(name for name in WITHOUT_TRANSACTIONS if name not in crash.HITS_AT_THE_START)
IN_TURN = [*AT_A_BATCH, *crash.HITS_AT_THE_START, "after_outputs", "after_changelog"]
"""Those at a batch first: they leave something to restore."""


def test_killed_at_every_fail_point_the_customers_are_those_of_an_undisturbed_run(broker: EmbeddedBroker, tmp_path: Path) -> None:
    source = sources.people(PEOPLE, tmp_path / "people", seed=12)
    with Pipeline(broker.bootstrap, tmp_path / "undisturbed", crash.PARTITIONS, source.journeys, **SETTINGS) as pipeline:
        worker = pipeline.start(1)[0]
        pipeline.play(source)
        pipeline.await_settled([worker])
        worker.stop()
        expected = found_on(pipeline)

    planned = crash.kills(IN_TURN, batches=14)
    portions = sources.portions(source, tmp_path / "portions", crash.PORTION_LINES, len(planned))
    with Pipeline(broker.bootstrap, tmp_path / "killed", crash.PARTITIONS, source.journeys, **SETTINGS) as pipeline:
        for number, kill in enumerate(planned):
            pipeline.play(portions[number], number, crash.DUPLICATES)
            worker = pipeline.worker("one", f"{kill.failpoint}:{kill.hit}:kill")
            worker.await_killed()
            assert pipeline.records_left() > crash.BATCH_RECORDS_MAX, kill
            if kill.deleted:
                shutil.rmtree(worker.directory)
        pipeline.play(portions[-1], len(planned), crash.DUPLICATES)
        last = pipeline.worker("one")
        pipeline.await_settled([last])
        last.stop()
        found = found_on(pipeline)

    assert found[0] == expected[0], "interactions applied, and the digest of all customers' states"
    differing = sorted(found[1] ^ expected[1])
    assert len(differing) <= len(planned), f"{len(differing)} emissions stand in one run alone, such as {differing[:5]}"


def found_on(pipeline: Pipeline) -> tuple[tuple[int, str], set[tuple[str, str]]]:
    """Interactions applied and the digest; the ids of the emissions that stand, of each the greatest revision."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for topic in EMITTED:
        for record in read_topic(pipeline.bootstrap, topic):
            value = msgspec.json.decode(record.value or b"")
            name = (topic, value["id"])
            if name not in newest or newest[name]["revision"] <= value["revision"]:
                newest[name] = value
    standing = {name for name, value in newest.items() if not value.get("retracts")}
    return state.totals(read_topic(pipeline.bootstrap, pipeline.changelog)), standing
