"""People whose identifiers meet: neither order, duplicates, partitions and workers nor kill -9 change who they are and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.pipeline import crash, sources
from tests.pipeline.harness import run, shares
from tests.pipeline.outcome import Outcome, assert_same
from tests.pipeline.sources import Source

PEOPLE = 1_200
SIX = ("after_decide", "after_outputs", "before_commit", "during_restore", "during_commit", "after_commit")
"""Three within a transaction, three without."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return sources.people(PEOPLE, tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def in_order(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, source: Source) -> Outcome:
    """One partition, one worker, the file's order, undisturbed."""
    return run(broker.bootstrap, tmp_path_factory.mktemp("run"), source, partitions=1, workers=1)[0]


def test_disorder_duplicates_partitions_and_workers_change_nothing(
    broker: EmbeddedBroker, tmp_path: Path, source: Source, in_order: Outcome
) -> None:
    shuffled, counts = run(broker.bootstrap, tmp_path / "run", source, partitions=16, workers=2, shuffle_seed=5, duplicates=0.05)

    assert_same(shuffled, in_order)
    assert shuffled.facts.duplicates > 500
    assert shuffled.facts.merges >= 1_000
    assert shuffled.absorbed >= 1_000
    assert min(shares(counts, "kairos_engine_batches")) >= 0.2


def test_six_kills_change_nothing(broker: EmbeddedBroker, tmp_path: Path, source: Source, in_order: Outcome) -> None:
    planned = crash.kills(SIX, batches=16)

    killed = crash.killed_run(broker.bootstrap, tmp_path, source, planned)

    assert_same(killed.outcome, in_order)
    assert len(killed.left) == 6
    assert sum(kill.failpoint in crash.IN_A_TRANSACTION for kill in planned) == 3
    assert sum(kill.deleted for kill in planned) >= 2
    assert killed.torn >= 1
    assert killed.outcome.absorbed >= 1_000
