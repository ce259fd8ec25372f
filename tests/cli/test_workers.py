"""A worker that dies is reported with the end of its log, and none outlives its run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streams.cli.workers import WorkerDied, Workers


def test_a_dead_worker_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Workers(1, tmp_path, "127.0.0.1:1", {"KAIROS_PARTITIONS": "0"}) as workers:
        workers._processes[0].wait(120)
        with pytest.raises(WorkerDied, match=r"(?s)Worker 1 ended with exit code 2.*KAIROS_PARTITIONS=0"):
            workers.check()


def test_workers_that_run_are_no_cause_for_alarm_and_are_stopped_at_the_end(tmp_path: Path) -> None:
    with Workers(2, tmp_path, "127.0.0.1:1", {}) as workers:
        workers.check()
        pids = [process.pid for process in workers._processes]

    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worker-1", "worker-1.log", "worker-2", "worker-2.log"]


def test_a_leash_ends_a_child_whose_parent_is_gone() -> None:
    code = "import time; from streams.cli import leashing; leashing.hold(0); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.stdin is not None

    child.stdin.close()

    assert child.wait(120) == -signal.SIGTERM


def test_several_workers_have_ports_of_their_own_for_their_metrics(tmp_path: Path) -> None:
    named = Workers(2, tmp_path, "127.0.0.1:1", {"KAIROS_METRICS_PORT": "9155"})
    free = Workers(2, tmp_path, "127.0.0.1:1", {"KAIROS_METRICS_PORT": "0"})

    assert [named._port(number) for number in (1, 2)] == [{"KAIROS_METRICS_PORT": "9155"}, {"KAIROS_METRICS_PORT": "9156"}]
    assert free._port(2) == Workers(2, tmp_path, "127.0.0.1:1", {})._port(2) == {}
