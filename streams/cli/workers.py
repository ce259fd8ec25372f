"""The worker processes of a run: started, watched, stopped.

The rule this module owns: no worker outlives the run. Each holds the reading end of a pipe as its leash, and is killed if it does not stop in time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_SECONDS_MAX = 15.0
LOG_LINES_SHOWN = 20
METRICS_PORT = "KAIROS_METRICS_PORT"


class WorkerDied(Exception):
    """A worker ended by itself; the text holds the end of its log."""


class Workers:
    """`count` processes of `kairos worker`, each with its own state directory and log below `directory`."""

    def __init__(self, count: int, directory: Path, bootstrap: str, environment: Mapping[str, str]) -> None:
        self._bootstrap = bootstrap
        self._count = count
        self._directory = directory
        self._environment = environment
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for number in range(1, self._count + 1):
            state = self._directory / f"worker-{number}"
            state.mkdir(parents=True, exist_ok=True)
            with self.log(number).open("wb") as log:
                self._processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "streams.cli", "worker", "--leash", "--broker", self._bootstrap],
                        env={**os.environ, **self._environment, **self._port(number), "KAIROS_DATA_DIR": str(state)},
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # Ctrl-C reaches the run alone, which stops its workers in order
                    )
                )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def _port(self, number: int) -> dict[str, str]:
        """Of several workers each has a port of its own for its metrics: the next one."""
        first = int(self._environment.get(METRICS_PORT, 0))
        return {METRICS_PORT: str(first + number - 1)} if first else {}

    def log(self, number: int) -> Path:
        """Where the worker with this number, from 1, writes."""
        return self._directory / f"worker-{number}.log"

    def check(self) -> None:
        """Raise WorkerDied for the first one that has ended."""
        for number, process in enumerate(self._processes, 1):
            if process.poll() is not None:
                raise WorkerDied(
                    f"Worker {number} ended with exit code {process.returncode}. The end of {self.log(number)}:\n{self.tail(number)}"
                )

    def tail(self, number: int) -> str:
        """The last lines of a worker's log."""
        lines = self.log(number).read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES_SHOWN:]) or "  (it is empty)"

    def tails(self) -> str:
        """The last lines of every worker's log."""
        return "\n".join(f"The end of {self.log(number)}:\n{self.tail(number)}" for number in range(1, self._count + 1))
