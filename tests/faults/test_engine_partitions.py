"""The number of partitions of a topic with state is fixed: another one is refused, with a reason that names the way."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

THE_WAY = "replay all input from its beginning under another app_id"


def grow(toy: ToyRun, partitions: int) -> None:
    """Both inputs get more partitions."""
    wanted = [NewPartitions(f"{toy.name}-{topic}", partitions) for topic in ("raw", "keyed")]
    client = AdminClient({"bootstrap.servers": toy.bootstrap})  # What it promises is kept only while it lives.
    for done in client.create_partitions(wanted).values():
        done.result()


def test_a_source_that_has_grown_is_refused_at_the_start(toy: ToyRun) -> None:
    toy.feed(500, keys=30)
    toy.run_until_done()
    before = toy.answer()

    grow(toy, 6)
    process = toy.worker()

    assert process.wait(DEADLINE_SECONDS) == 1
    assert f"{toy.name}-toy-sums-changelog has 4 partitions, its source has 6" in toy.log(process)
    assert THE_WAY in toy.log(process)
    assert toy.answer() == before == toy.expected()


@pytest.mark.faults
def test_a_source_that_grows_while_a_worker_runs_ends_it(toy: ToyRun) -> None:
    toy.feed(500, keys=30)
    process = toy.worker(instance_id=None, health=str(toy.directory / "first.json"))
    toy.await_health("first.json", lambda said: bool(said["ready"]))
    toy.await_done([process])
    before = toy.answer()

    grow(toy, 6)

    assert process.wait(DEADLINE_SECONDS) == 1
    assert f"{toy.name}-keyed has got a partition 4, it had 4 partitions" in toy.log(process)
    assert THE_WAY in toy.log(process)
    assert toy.answer() == before
