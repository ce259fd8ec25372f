"""A replay on a real Kafka, by the commands that an engineer types: unchanged it differs in nothing, changed exactly as the oracle says, mended it is what
an input that was never broken leads to. What is live is never written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from confluent_kafka import Producer

from connectors.jsonl.source import READER
from schemas import topics
from streams import app, instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.journeys.identity_policy import identity_policy
from streams.replay import archive
from tests.cli.values import Message
from tests.laws.memory import Memory
from tests.oracles import retail as oracle
from tests.pipeline import sources
from tests.pipeline.harness import ROOT, SECRET, Pipeline
from tests.pipeline.sources import Source
from tests.replay import heads
from tests.replay.heads import LOWER, UNTIL

PEOPLE = 120
INVOICES = 300
PARTITIONS = 2
BROKEN = 7
"""Every so many interactions name the field `time` that should be `timestamp`."""
MAPPING = '[bad_timestamp]\nrename = { time = "timestamp" }\n'
COMMAND_SECONDS_MAX = 240
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


@pytest.fixture(scope="module")
def live(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The shop's head, a part of it broken, as a live Kairos has taken it in."""
    directory = tmp_path_factory.mktemp("live")
    head = heads.head(directory / "head.csv.gz", INVOICES)
    whole = heads.interactions(head)
    broken = {orjson.loads(value)["messageId"] for value in whole[::BROKEN]}
    sent = [value.replace(b'"timestamp":', b'"time":') if number % BROKEN == 0 else value for number, value in enumerate(whole)]
    (directory / "broken.jsonl").write_bytes(b"\n".join(sent))
    source = Source(directory / "broken.jsonl", READER, ("retail",), instants.parse(UNTIL))
    with Pipeline(broker.bootstrap, directory / "run", PARTITIONS, source.journeys) as pipeline:
        (worker,) = pipeline.start(1)
        pipeline.play(source)
        pipeline.await_settled([worker])
        worker.stop()
        yield Live(pipeline, head, whole, broken, _environment(pipeline, directory / "data", source.journeys, "replay"))


@pytest.fixture
def name(live: Live, app_id: str) -> Iterator[str]:
    """A replay's name; its shadow is cleaned away, and whatever was done, what is live is as it was."""
    with cleaned(live, app_id):
        yield app_id


@contextmanager
def cleaned(live: Live, chosen: str) -> Iterator[None]:
    """Nothing of a replay is left but its record, and what is live is as it was."""
    before = live.ends()
    yield
    done = live.kairos("clean", chosen, "--yes", *live.broker)
    assert done.returncode == 0, done.stderr
    assert admin.topics_like(live.pipeline.bootstrap, "replay.") == []
    assert admin.topics_like(live.pipeline.bootstrap, f"{live.pipeline.app_id}-replay") == []
    assert archive.load(Path(live.environment["KAIROS_DATA_DIR"]), chosen).state == "cleaned"
    assert live.ends() == before


def test_unchanged_it_differs_in_nothing_and_all_that_it_says_is_replayed(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """People who merge between partitions, late and out of order, and two months in which deadlines fall due and redirects end."""
    source = sources.people(PEOPLE, tmp_path / "people")
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, source.journeys) as pipeline:
        (worker,) = pipeline.start(1)
        pipeline.play(source)
        pipeline.await_settled([worker])
        worker.stop()
        live = Live(pipeline, tmp_path, [], set(), _environment(pipeline, tmp_path / "data", source.journeys, "replay"))
        with cleaned(live, "same"):
            found = live.replayed("same", "--why", "nothing changed")

            assert found["differences"] == []
            assert found["digests"]["live"] == found["digests"]["shadow"]
            assert found["notReplayed"] == 0
            assert found["totals"]["stage"]["live"] > PEOPLE
            assert found["totals"]["moment"]["live"] > PEOPLE / 4
            note = archive.load(tmp_path / "data", "same")
            assert (note.state, note.why, note.runs[0].outcome) == ("done", "nothing changed", "done")


@pytest.mark.faults
def test_by_another_threshold_it_differs_exactly_as_the_oracle_says(live: Live, name: str, tmp_path: Path) -> None:
    before, after = (_segments(live, threshold) for threshold in (oracle.HIGH_VALUE, LOWER))

    found = live.replayed(name, "--journeys", str(heads.lower(tmp_path)))

    said = {change: Counter(_entry(one["live"] or one["shadow"]) for one in found["differences"] if (one["kind"], one["change"]) == ("segment", change))
            for change in ("added", "removed", "changed")}  # fmt: skip
    assert said == {"added": after - before, "removed": before - after, "changed": Counter()}
    assert said["added"].total() > 30
    assert {one["kind"] for one in found["differences"]} == {"segment", "person"}
    assert {tuple(one["why"]) for one in found["differences"]} == {("rule",)}


@pytest.mark.faults
def test_dead_letters_mended_give_what_was_never_broken(live: Live, name: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    never_broken = Memory(app.rules_of(("retail",)), 1, policy=POLICY)
    for value in live.whole:
        never_broken.produce(value)
    never_broken.tell_time(UNTIL)
    never_broken.run()
    applied, digest = state.totals(Message(row, key, partition) for partition, key, row in never_broken.changelog)

    found = live.replayed(name, "--dead-letters", str(tmp_path / "mapping.toml"))

    assert found["digests"]["shadow"] == digest != found["digests"]["live"]
    note = live.answer("status", name)
    assert note["repaired"] == {"bad_timestamp": len(live.broken)}
    assert note["counts"]["repaired"] == len(live.broken)
    assert note["counts"]["fed"] + note["counts"]["repaired"] >= applied == len(live.whole)
    assert {tuple(one["why"]) for one in found["differences"]} == {("late_data",)}


@pytest.mark.faults
def test_killed_in_the_midst_and_run_again_it_is_the_same(live: Live, name: str) -> None:
    live.answer("plan", "--name", name, *live.broker)
    data, fed = Path(live.environment["KAIROS_DATA_DIR"]), [0]
    for _ in range(3):
        command = [sys.executable, "-m", "streams.cli", "replay", "run", name, "--rate", "30", *live.broker]
        process = subprocess.Popen(command, env=live.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + COMMAND_SECONDS_MAX
        while archive.load(data, name).fed <= fed[-1]:
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < give_up
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        fed.append(archive.load(data, name).fed)
    stopped = live.answer("status", name)
    assert live.kairos("diff", name, *live.broker).returncode == 1, "there is nothing to compare yet"

    note = live.answer("run", name, *live.broker)
    found = live.answer("diff", name, *live.broker)

    assert stopped["state"] == "stopped"
    assert stopped["fed"] == fed[-1] < note["fed"]
    assert len(note["runs"]) == 4
    assert found["differences"] == []
    assert found["digests"]["live"] == found["digests"]["shadow"]


def test_of_a_live_clock_it_is_the_same_too(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Real time goes by: ids come from places, senders' clocks are wrong, deadlines fall due by the wall's clock, some before the plan and some later."""
    (tmp_path / "quick.py").write_text(QUICK)
    journeys = (str(tmp_path / "quick.py"),)
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, journeys, clock="live") as pipeline:
        kairos = Live(pipeline, tmp_path, [], set(), _environment(pipeline, tmp_path / "data", journeys, "live"))
        (worker,) = pipeline.start(1)
        _order_an_hour_ago(broker.bootstrap)
        time.sleep(6)
        pipeline.await_settled([worker])

        found = kairos.replayed("live")

        worker.check()
        assert found["differences"] == []
        assert found["digests"]["live"] == found["digests"]["shadow"]
        assert found["totals"]["person"]["live"] == ORDERS
        assert ORDERS < found["totals"]["stage"]["live"] < 2 * ORDERS, "of some the deadline fell due, of others it has yet to"
        assert kairos.kairos("clean", "live", "--yes", *kairos.broker).returncode == 0
        worker.stop()


ORDERS = 60
QUICK = """
from streams.language import START, Journey, event, hours, silence

order = event("Order Completed")
quick = Journey(name="quick", owner="tests", transitions=[
    (START, "active", order),
    ("active", "quiet", silence(order, hours(1))),
])
"""


def _order_an_hour_ago(bootstrap: str) -> None:
    """Orders without ids, an hour before now and the next half minute; every third by a clock that is a day behind, every fifth ahead of it."""
    producer = Producer({"bootstrap.servers": bootstrap})
    now = time.time()
    for number in range(ORDERS):
        at = now - 3600 + number / 2
        skew = -86_000 if number % 3 == 0 else 0
        said = {"userId": f"u-{number}", "event": "Order Completed", "timestamp": at + skew}
        producer.produce(topics.INTERACTIONS, orjson.dumps(said | ({"sentAt": now + skew} if skew else {})), str(number).encode())
    producer.produce(
        topics.INTERACTIONS, orjson.dumps({"userId": "ahead", "event": "Order Completed", "timestamp": now + 86_500}), b"ahead"
    )
    assert producer.flush(30) == 0


def _environment(pipeline: Pipeline, data: Path, journeys: Sequence[str], clock: str) -> dict[str, str]:
    """What an engineer has set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
    said = {"APP_ID": pipeline.app_id, "SECRET": SECRET, "DATA_DIR": str(data), "CLOCK": clock, "JOURNEYS": ",".join(journeys)}
    return {**ours, **{f"KAIROS_{name}": value for name, value in said.items()}}


def _segments(live: Live, threshold: int) -> Counter[tuple[str, bool, datetime]]:
    """What the oracle says of those that were not broken."""
    customers, _ = oracle.read(live.head)
    until = datetime.fromisoformat(UNTIL)
    kept = {name: [one for one in invoices if one.id not in live.broken] for name, invoices in customers.items()}
    lives = [oracle.judge(invoices, until, threshold) for invoices in kept.values() if invoices]
    return Counter((_customer(one.customer), one.entered, one.time) for life in lives for one in life.segment_changes)


def _customer(name: str) -> str:
    """The id of whom one identifier names."""
    found = normaliser(POLICY).normalise(*name.split(":"))
    assert isinstance(found, Identifier)
    return customer_id(found.key)


def _entry(value: dict[str, Any]) -> tuple[str, bool, datetime]:
    return value["customerId"], value["entered"], datetime.fromisoformat(value["occurredAt"])
