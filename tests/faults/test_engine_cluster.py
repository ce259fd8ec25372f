"""A cluster of three brokers that loses the leader of what is being worked on, and gets it back: nothing is lost, nothing twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.cluster import cluster_of_three
from tests.faults.toyrun import ToyRun


@pytest.mark.parametrize("losses", [pytest.param(1, marks=pytest.mark.faults), pytest.param(3, marks=pytest.mark.soak)])
def test_the_leaders_of_a_replicated_cluster_die_one_after_the_other(tmp_path: Path, losses: int) -> None:
    number = 0
    with cluster_of_three(tmp_path / "kafka") as cluster:
        toy = ToyRun(cluster.bootstrap, tmp_path, replication=3)
        toy.feed(6000, seed=9)
        process = toy.worker(slow_seconds=0.2, changelog_replication=3, counts=str(tmp_path / "counts.json"))
        toy.await_counts("counts.json")

        for partition, table in enumerate(("keyed", "raw", "toy-sums-changelog")[:losses]):
            if partition:
                cluster.nodes[number].start()
                toy.feed(6000, seed=partition)
            number = cluster.leader(f"{toy.name}-{table}", partition)
            toy.suffers("leader")
            cluster.nodes[number].kill()
            time.sleep(5)
            assert process.poll() is None, toy.log(process)
        toy.feed(6000, seed=8)
        toy.suffers("SIGTERM, leader")
        toy.noted("stop s", toy.stop(process))
        process = toy.worker(changelog_replication=3)
        toy.await_done([process])

        toy.assert_exact()
        toy.stop(process)
        toy.close()
