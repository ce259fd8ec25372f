"""What a worker made of what clients sent: whose timeline holds which message, and how often.

The rule this module owns: it is asked as an operator would, by the command line, and it waits for what is to come, with a deadline.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.connectors.collectors import CollectorRun
from tests.pipeline.harness import ROOT, SECRET, Pipeline

SECONDS_MAX = 180.0


def arrived(collector: CollectorRun, sent: Mapping[str, Sequence[str]]) -> None:
    """All that was reported as sent comes onto the topic; some clients report what they have only put aside to send again."""
    wanted, give_up = {each for messages in sent.values() for each in messages}, time.monotonic() + SECONDS_MAX
    while missing := wanted - {str(each.get("messageId")) for each in collector.interactions()}:
        assert time.monotonic() < give_up, f"{len(missing)} of {len(wanted)} never come: {sorted(missing)[:5]}"
        time.sleep(0.5)


def timeline(pipeline: Pipeline, person: str, directory: Path) -> list[str]:
    """The ids of the messages in the timeline of whoever has this user id, sorted; each as often as it is there."""
    file = directory / f"{person}.json"
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
    ours |= {
        "KAIROS_SECRET": SECRET,
        "KAIROS_DATA_DIR": str(directory / "cli"),
        "KAIROS_APP_ID": pipeline.app_id,
        "KAIROS_ACTOR": "ben",
    }
    asked = ["identity", "export", f"user_id:{person}", "--to", str(file), "--why", "a test", "--broker", pipeline.bootstrap]
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *asked], cwd=ROOT, env=ours, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, done.stderr
    return sorted(touch["messageId"] for touch in json.loads(file.read_bytes())["timeline"])


def assert_once_with_whom_they_are_about(pipeline: Pipeline, sent: Mapping[str, Sequence[str]], directory: Path) -> None:
    """Each person's timeline holds what was sent of that person, each message once, and nothing else."""
    pipeline.await_settled(pipeline.workers)
    for person, messages in sent.items():
        assert timeline(pipeline, person, directory) == sorted(messages), person
    assert len({profile["customerId"] for profile in pipeline.outcome().profiles.values()}) == len(sent)
