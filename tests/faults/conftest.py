"""A toy run on the session's Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.faults.toyrun import ToyRun


@pytest.fixture
def new_toy(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Callable[..., ToyRun]]:
    """Call it with a number of partitions."""
    made: list[ToyRun] = []

    def make(partitions: int = 4) -> ToyRun:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(ToyRun(broker.bootstrap, directory, partitions))
        return made[-1]

    yield make
    for toy in made:
        toy.close()


@pytest.fixture
def toy(new_toy: Callable[..., ToyRun]) -> ToyRun:
    """Four partitions."""
    return new_toy()
