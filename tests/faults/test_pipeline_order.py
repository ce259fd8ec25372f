"""The whole matrix: the shop and merging people over 1, 4 and 16 partitions and 1 and 2 workers, shuffled with 5% duplicates; in soak in order as well.

Its two ends, in order on one partition with one worker and shuffled on sixteen with two, are tests of every day (tests/pipeline).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.pipeline import sources
from tests.pipeline.harness import run, shares
from tests.pipeline.outcome import Outcome, assert_same
from tests.pipeline.sources import Source

PEOPLE = 2_000
IN_ORDER, SHUFFLED = (None, 0.0), (21, 0.05)
"""Seed of the shuffle, share of duplicates."""
REFERENCE = (1, 1, IN_ORDER)
WIDE = [(1, 1, SHUFFLED), (1, 2, SHUFFLED), (4, 1, SHUFFLED), (4, 2, SHUFFLED), (16, 1, SHUFFLED)]
"""Of `make test-faults`."""
MATRIX = [
    pytest.param(partitions, workers, order, marks=pytest.mark.faults if (partitions, workers, order) in WIDE else pytest.mark.soak)
    for partitions in (1, 4, 16)
    for workers in (1, 2)
    for order in (IN_ORDER, SHUFFLED)
    if (partitions, workers, order) != REFERENCE
]


@pytest.fixture(scope="module")
def shop(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Outcome]:
    """The shop, and what comes of it in its order on one partition."""
    source = sources.shop()
    return source, run(broker.bootstrap, tmp_path_factory.mktemp("shop"), source, partitions=1, workers=1)[0]


@pytest.fixture(scope="module")
def people(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Outcome]:
    """Merging people, and what comes of them in order on one partition."""
    source = sources.people(PEOPLE, tmp_path_factory.mktemp("people"))
    return source, run(broker.bootstrap, tmp_path_factory.mktemp("run"), source, partitions=1, workers=1)[0]


@pytest.mark.parametrize(("partitions", "workers", "order"), MATRIX)
def test_the_shop_is_the_same(
    broker: EmbeddedBroker, tmp_path: Path, shop: tuple[Source, Outcome], partitions: int, workers: int, order: tuple[int | None, float]
) -> None:
    source, expected = shop

    _run(broker, tmp_path, source, expected, partitions, workers, order)


@pytest.mark.parametrize(("partitions", "workers", "order"), MATRIX)
def test_merging_people_are_the_same(
    broker: EmbeddedBroker, tmp_path: Path, people: tuple[Source, Outcome], partitions: int, workers: int, order: tuple[int | None, float]
) -> None:
    source, expected = people

    found = _run(broker, tmp_path, source, expected, partitions, workers, order)

    assert found.facts.merges >= 1_000
    assert found.absorbed >= (1_000 if partitions > 1 else 0)


def _run(
    broker: EmbeddedBroker,
    directory: Path,
    source: Source,
    expected: Outcome,
    partitions: int,
    workers: int,
    order: tuple[int | None, float],
) -> Outcome:
    """Play it, and find the same."""
    seed, duplicates = order
    found, counts = run(
        broker.bootstrap, directory / "run", source, partitions=partitions, workers=workers, shuffle_seed=seed, duplicates=duplicates
    )
    assert_same(found, expected)
    if partitions >= 2 <= workers:
        assert min(shares(counts, "kairos_engine_batches")) >= 0.2
    return found
