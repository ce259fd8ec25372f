"""`kairos run --broker mock`: the whole web shop without a Kafka, nothing of it dropped; what cannot be done there is said or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas import topics
from streams.broker.mock import MockBroker
from streams.cli import mocked
from streams.cli.options import Failure
from tests.oracles import retail as oracle
from tests.replay import heads

ROOT = Path(__file__).parents[2]
RUN_SECONDS_MAX = 900
HEAD = 4_500
"""Invoices: more than the player may send before it waits for the worker."""
MEBIBYTE = 1 << 20


def _run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.cli", "run", "--broker", "mock", *words]
    kept = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP" and not name.startswith("KAIROS_")}
    environment = kept | {"KAIROS_DATA_DIR": str(data), "KAIROS_SECRET": "a secret of the tests"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False, cwd=ROOT)


@pytest.mark.parametrize("invoices", [HEAD, pytest.param(None, marks=pytest.mark.faults)], ids=["its head", "the whole year"])
def test_the_shop_is_played_on_the_mock_and_every_count_is_the_oracle_s(tmp_path: Path, invoices: int | None) -> None:
    shop = oracle.SHOP if invoices is None else heads.head(tmp_path / "head.csv.gz", invoices)
    words = ("--reader", "online-retail", "--until", oracle.UNTIL.isoformat(), "--export", str(tmp_path / "out"), "--json")

    done = _run(tmp_path / "data", "--source", str(shop), *words)

    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    expected = oracle.answer(shop)
    applied = len(expected.orders) + len(expected.cancellations)
    assert (facts["read"], facts["applied"], facts["dead"], facts["duplicates"]) == (
        applied + expected.refused,
        applied,
        expected.refused,
        0,
    )
    assert facts["read"] > mocked.AHEAD_ITEMS_MAX, "the player has to wait for the worker"
    assert facts["orders"] == len(expected.orders)
    assert facts["cancellations"] == len(expected.cancellations)
    assert facts["people"] == len(expected.customers)
    assert sum(facts["stageChanges"]["retail"].values()) == len(expected.stage_changes)
    assert sum(sum(each.values()) for each in facts["moments"].values()) == len(expected.moments)
    assert sum(facts["segmentChanges"].values()) == len(expected.segment_changes)
    for line in mocked.CANNOT:
        assert line in done.stderr
    assert not (tmp_path / "data" / "last-run.json").exists(), "nothing can be asked of a mock that is gone"


@pytest.mark.parametrize(
    ("words", "said"), [(("--workers", "2"), "runs one worker, not 2"), (("--guarantee", "exactly_once"), "no exactly_once on it")]
)
def test_what_the_mock_cannot_do_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = _run(tmp_path, "--source", __file__, "--reader", "jsonl", *words)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_partition_that_was_outgrown_ends_the_run() -> None:
    wanted = dict.fromkeys(topics.BY_NAME, 2)
    with MockBroker(wanted) as mock:
        flow = mocked.Flow(mock.bootstrap, wanted)
        producer = Producer({"bootstrap.servers": mock.bootstrap})
        for _ in range(9):
            producer.produce(topics.PROFILES, os.urandom(MEBIBYTE // 2), partition=1)
            producer.flush()
        flow.check()

        for _ in range(3):
            producer.produce(topics.PROFILES, os.urandom(MEBIBYTE // 2), partition=1)
            producer.flush()
        with pytest.raises(Failure, match=r"dropped what journey.profiles.v1\[1\] began with"):
            flow.check()
        flow.close()


def test_the_player_waits_while_the_worker_is_behind() -> None:
    wanted = {topics.INTERACTIONS: 1}
    with MockBroker(wanted) as mock:
        flow = mocked.Flow(mock.bootstrap, wanted)
        sent = 0
        while flow.may_send():
            sent += 1
        flow.look(mocked.BEHIND_RECORDS_MAX + 1)
        held = flow.may_send()
        flow.look(mocked.BEHIND_RECORDS_MAX)
        on = flow.may_send()
        flow.close()

    assert (sent, held, on) == (mocked.AHEAD_ITEMS_MAX, False, True)
