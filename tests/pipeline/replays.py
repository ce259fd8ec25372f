"""The commands of `kairos replay` as an engineer types them, beside a live pipeline of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from schemas import topics
from streams import app
from streams.broker import admin
from streams.cli import state
from streams.journeys.identity_policy import identity_policy
from tests.cli.values import Message
from tests.laws.memory import Memory
from tests.pipeline.harness import ROOT, SECRET, Pipeline

BROKEN = 7
"""Every so many interactions name the field `time` that should be `timestamp`."""
MAPPING = '[bad_timestamp]\nrename = { time = "timestamp" }\n'
COMMAND_SECONDS_MAX = 480
POLICY = identity_policy(SECRET.encode(), "GB")


class Live(NamedTuple):
    """What is live and settled: its pipeline, the shop's head, its interactions as they should have been, and which of them were broken."""

    pipeline: Pipeline
    head: Path
    whole: list[bytes]
    broken: set[str]
    environment: dict[str, str]

    def kairos(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command."""
        command = [sys.executable, "-m", "streams.cli", "replay", *words]
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False
        )

    def answer(self, *words: str) -> Any:
        """What it prints, as JSON."""
        done = self.kairos(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def replayed(self, name: str, *words: str) -> dict[str, Any]:
        """Plan and run a replay; how it differs."""
        self.answer("plan", "--name", name, *words, *self.broker)
        assert self.answer("run", name, *self.broker)["state"] == "done"
        found: dict[str, Any] = self.answer("diff", name, *self.broker)
        return found

    @property
    def broker(self) -> tuple[str, str]:
        return "--broker", self.pipeline.bootstrap

    def ends(self) -> dict[tuple[str, int], int]:
        """Where everything that is live ends, markers included."""
        return admin.end_offsets(self.pipeline.bootstrap, [*topics.BY_NAME, self.pipeline.changelog], committed=False)


def broken(whole: Sequence[bytes]) -> list[bytes]:
    """The interactions, some of them broken."""
    return [value.replace(b'"timestamp":', b'"time":') if number % BROKEN == 0 else value for number, value in enumerate(whole)]


def never_broken(whole: Sequence[bytes], journeys: tuple[str, ...], until: str) -> tuple[int, str]:
    """How many interactions a Kairos in memory takes in of them as they should have been, and its digest."""
    memory = Memory(app.rules_of(journeys), 1, policy=POLICY)
    for value in whole:
        memory.produce(value)
    memory.tell_time(until)
    memory.run()
    return state.totals(Message(row, key, partition) for partition, key, row in memory.changelog)


def environment(pipeline: Pipeline, data: Path, journeys: Sequence[str], clock: str) -> dict[str, str]:
    """What an engineer has set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
    said = {"APP_ID": pipeline.app_id, "SECRET": SECRET, "DATA_DIR": str(data), "CLOCK": clock, "JOURNEYS": ",".join(journeys)}
    return {**ours, **{f"KAIROS_{name}": value for name, value in said.items()}}
