"""A replay on a real Kafka, by the commands that an engineer types: unchanged it differs in nothing, changed exactly as the oracle says, mended it is what
an input that was never broken leads to. What is live is never written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from connectors.jsonl.source import READER
from schemas import topics
from streams import app, instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import main
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.policy import Policy
from streams.replay import archive, diff
from streams.replay.sides import Side
from tests.laws.memory import Memory
from tests.oracles import retail as oracle
from tests.pipeline import replays, sources
from tests.pipeline.harness import ROOT, SECRET, Pipeline
from tests.pipeline.replays import BROKEN, COMMAND_SECONDS_MAX, MAPPING, POLICY, Live, environment
from tests.pipeline.sources import Source
from tests.replay import heads
from tests.replay.heads import LOWER, UNTIL

PEOPLE = 120
FEW = 30
INVOICES = 300
PARTITIONS = 2


@pytest.fixture(scope="module")
def live(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The shop's head, a part of it broken, as a live Kairos has taken it in."""
    directory = tmp_path_factory.mktemp("live")
    head = heads.head(directory / "head.csv.gz", INVOICES)
    whole = heads.interactions(head)
    broken = {orjson.loads(value)["messageId"] for value in whole[::BROKEN]}
    (directory / "broken.jsonl").write_bytes(b"\n".join(replays.broken(whole)))
    source = Source(directory / "broken.jsonl", READER, ("retail",), instants.parse(UNTIL))
    with settled(broker, directory, source) as live:
        yield live._replace(head=head, whole=whole, broken=broken)


@pytest.fixture
def name(live: Live, app_id: str) -> Iterator[str]:
    """A replay's name; its shadow is cleaned away, and whatever was done, what is live is as it was."""
    with cleaned(live, app_id):
        yield app_id


@contextmanager
def settled(broker: EmbeddedBroker, directory: Path, source: Source) -> Iterator[Live]:
    """A live Kairos that has taken a whole source in, and rests."""
    with Pipeline(broker.bootstrap, directory / "run", PARTITIONS, source.journeys) as pipeline:
        (worker,) = pipeline.start(1)
        pipeline.play(source)
        pipeline.await_settled([worker])
        worker.stop()
        yield Live(pipeline, directory, [], set(), environment(pipeline, directory / "data", source.journeys, "replay"))


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
    with settled(broker, tmp_path, sources.people(PEOPLE, tmp_path / "people")) as live, cleaned(live, "same"):
        found = live.replayed("same", "--why", "nothing changed")

        assert found["differences"] == []
        assert found["digests"]["live"] == found["digests"]["shadow"]
        assert live.kairos("diff", "same", "--exit-code", *live.broker).returncode == 0
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
    assert live.kairos("diff", name, "--exit-code", *live.broker).returncode == 1
    assert {one["kind"] for one in found["differences"]} == {"segment", "person"}
    assert {tuple(one["why"]) for one in found["differences"]} == {("rule",)}


@pytest.mark.faults
def test_dead_letters_mended_give_what_was_never_broken(live: Live, name: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    applied, digest = replays.never_broken(live.whole, ("retail",), UNTIL)

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


# From here on each makes the topics anew: `live` is gone.


@pytest.mark.faults
def test_under_another_policy_it_differs_exactly_as_in_memory(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """A stricter one, by which an e-mail address of two customers links nobody: people part, and what follows from whose interactions they are."""
    source = sources.people(FEW, tmp_path / "people")
    before, after = _identity_policies(tmp_path / "strict.json")
    one, other = (_remembered(source, policy) for policy in (before, after))
    with settled(broker, tmp_path, source) as live, cleaned(live, "strict"):
        found = live.replayed("strict", "--policy", str(tmp_path / "strict.json"))
        plan = archive.load(tmp_path / "data", "strict").plan

    expected = diff.compare(one, other, plan)
    assert {_told(one) for one in found["differences"]} == {_told(msgspec.to_builtins(one)) for one in expected.differences}
    assert found["digests"] == expected.digests
    assert found["counts"]["person"]["added"] > 0, "somebody parted"
    assert {reason for one in found["differences"] for reason in one["why"]} == {"policy"}


def _identity_policies(path: Path) -> tuple[Policy, Policy]:
    """The one in force and a stricter one, which is written to the file."""
    said = json.loads(CliRunner().invoke(main, ["identity", "policy"], env={"KAIROS_SECRET": SECRET}, prog_name="kairos").output)
    for kind in said["types"]:
        if kind["name"] == "email":
            kind |= {"limit": None, "window_days": None, "generic_above": 1}
    path.write_text(json.dumps(said))
    return POLICY, app.policy_in(path, POLICY)


def _remembered(source: Source, policy: Policy) -> Side:
    """What a Kairos in memory makes of a source under a policy."""
    memory = Memory(app.rules_of(source.journeys), PARTITIONS, policy=policy)
    for line in source.path.read_bytes().splitlines():
        memory.produce(line)
    memory.tell_time(instants.text(source.until or 0))
    memory.run()
    return heads.side(memory)


def _told(one: dict[str, Any]) -> tuple[Any, ...]:
    return (*(one[name] for name in ("kind", "change", "customer", "rule", "id")), *map(tuple, (one["fields"], one["others"], one["why"])))


@pytest.mark.faults
def test_of_a_live_clock_it_is_the_same_too(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Real time goes by: ids come from places, senders' clocks are wrong, deadlines fall due by the wall's clock, some before the plan and some later."""
    (tmp_path / "quick.py").write_text(QUICK)
    journeys = (str(tmp_path / "quick.py"),)
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, journeys, clock="live") as pipeline:
        kairos = Live(pipeline, tmp_path, [], set(), environment(pipeline, tmp_path / "data", journeys, "live"))
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
    assert producer.flush(120) == 0


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
