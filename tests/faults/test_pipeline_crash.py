"""Killed over and over, at every fail point, alone and beside another worker, on people who merge: the outcome is that of an undisturbed run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from streams.engine import FAIL_POINTS
from tests.pipeline import crash, sources
from tests.pipeline.harness import Pipeline, run
from tests.pipeline.outcome import Outcome, assert_same
from tests.pipeline.sources import Source

pytestmark = pytest.mark.faults

PEOPLE = 3_000
OUTSIDE = [*crash.OUTSIDE[3:], *crash.OUTSIDE[:3]]
"""Those after a batch first: they leave something to restore."""
IN_TURN = [name for pair in zip(OUTSIDE * 2, (crash.IN_A_TRANSACTION * 3)[: 2 * len(OUTSIDE)], strict=True) for name in pair]
"""Every fail point twice at least, half of the kills within a transaction."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return sources.people(PEOPLE, tmp_path_factory.mktemp("people"), seed=12)


@pytest.fixture(scope="module")
def undisturbed(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, source: Source) -> Outcome:
    return run(broker.bootstrap, tmp_path_factory.mktemp("run"), source, partitions=crash.PARTITIONS, workers=1)[0]


def test_killed_at_every_fail_point_in_turn(broker: EmbeddedBroker, tmp_path: Path, source: Source, undisturbed: Outcome) -> None:
    planned = crash.kills(IN_TURN, batches=14)

    killed = crash.killed_run(broker.bootstrap, tmp_path, source, planned)

    assert_same(killed.outcome, undisturbed)
    assert {kill.failpoint for kill in planned} == set(FAIL_POINTS)
    assert len(killed.left) == len(planned) >= 20
    assert sum(kill.failpoint in crash.IN_A_TRANSACTION for kill in planned) * 2 == len(planned)
    assert sum(kill.deleted for kill in planned) * 3 >= len(planned) - 2
    assert killed.torn >= 4
    assert killed.outcome.facts.merges >= 1_000
    assert killed.outcome.absorbed >= 1_000


def test_one_of_two_workers_is_killed_again_and_again(broker: EmbeddedBroker, tmp_path: Path, source: Source, undisturbed: Outcome) -> None:
    with Pipeline(broker.bootstrap, tmp_path / "run", 16, source.journeys, batch_records_max=crash.BATCH_RECORDS_MAX) as pipeline:
        steady = pipeline.worker()
        pipeline.play(source, shuffle_seed=8, duplicates=0.05)
        for number, failpoint in enumerate(crash.IN_A_TRANSACTION):
            victim = pipeline.worker("victim", f"{failpoint}:{5 + number}:kill")
            victim.await_killed()
            steady.check()
            assert pipeline.records_left() > crash.BATCH_RECORDS_MAX, failpoint
            if number % 3 == 2:
                shutil.rmtree(victim.directory)
        last = pipeline.worker("victim")
        pipeline.await_settled([steady, last])
        steady.stop()
        last.stop()
        found = pipeline.outcome()

    assert_same(found, undisturbed)
    assert found.facts.merges >= 1_000
    assert found.absorbed >= 1_000


def test_the_default_session_time_out_lets_the_other_worker_go_on(
    broker: EmbeddedBroker, tmp_path: Path, source: Source, undisturbed: Outcome
) -> None:
    settings = {"batch_records_max": crash.BATCH_RECORDS_MAX, "session_timeout_seconds": None}
    with Pipeline(broker.bootstrap, tmp_path / "run", 4, source.journeys, **settings) as pipeline:
        steady, victim = pipeline.start(2)
        pipeline.play(source, shuffle_seed=9, duplicates=0.05)
        victim.process.kill()
        victim.await_killed()
        assert pipeline.records_left() > crash.BATCH_RECORDS_MAX
        pipeline.await_settled([steady])
        steady.stop()
        found = pipeline.outcome()

    assert_same(found, undisturbed)
