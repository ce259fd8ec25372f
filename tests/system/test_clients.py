"""Clients of Segment's and RudderStack's, as they are: all that they report as sent is on the topic, and once in the right person's timeline.

Each person is met unknown, then by name; what came before the name is theirs all the same.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rudderstack.analytics as rudderstack
import segment.analytics as segment

from connectors.collector import keys
from streams.broker.embedded import EmbeddedBroker
from tests.connectors.collectors import CollectorRun
from tests.pipeline.harness import Pipeline
from tests.system import timelines
from tests.system.clients.chromium import Shop
from tests.system.clients.installed import modules

pytestmark = pytest.mark.system

PARTITIONS = 2
"""As many as CollectorRun's topics have."""
SEND_SECONDS_MAX = 180.0


@pytest.fixture
def pipeline(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Pipeline]:
    """One worker on the wall clock."""
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as made:
        made.start(1)
        yield made
        made.workers[0].stop()


@pytest.fixture
def opened(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Callable[..., CollectorRun]]:
    """Call it with options of the collector; it is ended whatever becomes of the test."""
    made: list[CollectorRun] = []

    def begin(*options: str) -> CollectorRun:
        made.append(CollectorRun(broker, tmp_path / "collector", *options))
        return made[-1]

    yield begin
    for run in made:
        run.process.kill()
        run.process.wait()


def test_the_client_for_node_as_it_is_while_the_collector_is_killed(
    opened: Callable[..., CollectorRun], pipeline: Pipeline, tmp_path: Path
) -> None:
    collector, people, touches = opened(), ["ann", "ben", "cleo"], 30
    told = {
        "modules": str(modules()),
        "host": f"http://127.0.0.1:{collector.port}",
        "writeKey": collector.key,
        "people": people,
        "touches": touches,
    }
    script = Path(__file__).parent / "clients" / "node" / "send.mjs"

    client = subprocess.Popen(["node", str(script), json.dumps(told)], stdout=subprocess.PIPE, text=True)
    _await_some(collector, 20)
    collector.process.kill()
    collector.process.wait()
    collector.start()
    said = json.loads(client.communicate(timeout=SEND_SECONDS_MAX)[0])

    assert said["failed"] == [] and client.returncode == 0
    assert {person: len(messages) for person, messages in said["sent"].items()} == dict.fromkeys(people, 2 * touches + 3)
    timelines.arrived(collector, said["sent"])
    timelines.assert_once_with_whom_they_are_about(pipeline, said["sent"], tmp_path)


def test_the_clients_for_python_as_they_are(opened: Callable[..., CollectorRun], pipeline: Pipeline, tmp_path: Path) -> None:
    collector = opened()
    host, failed, sent = f"http://127.0.0.1:{collector.port}", list[Exception](), defaultdict[str, list[str]](list)
    clients = {"fay": segment.Client, "gil": rudderstack.Client}
    for person, made in clients.items():
        client, before = made(collector.key, host=host, on_error=lambda error, _: failed.append(error), gzip=True), f"browser-of-{person}"
        told = [client.track(anonymous_id=before, event="Product Viewed", properties={"number": number}) for number in range(150)]
        told.append(client.identify(person, {"email": f"{person}@brand.co"}, anonymous_id=before))
        told += [client.track(person, "Product Viewed", {"number": number}) for number in range(150)]
        client.shutdown()
        assert all(taken for taken, _ in told)
        sent[person] = [message["messageId"] for _, message in told]

    assert failed == []
    timelines.arrived(collector, sent)
    timelines.assert_once_with_whom_they_are_about(pipeline, sent, tmp_path)


@pytest.mark.parametrize("rate", [None, 10.0], ids=["as fast as it may", "told to wait"])
def test_the_client_in_a_browser_as_it_is(
    opened: Callable[..., CollectorRun], pipeline: Pipeline, tmp_path: Path, rate: float | None
) -> None:
    people, touches = ["dora", "emil"], 15
    with Shop(modules()) as shop:
        collector = opened("--origin", shop.origin)
        key = keys.create(collector.keys, "web", "2026-11-22T12:00:00Z", events_per_second=rate)
        time.sleep(keys.LOOK_SECONDS)
        shop.visited(
            key=key,
            collector=f"http://127.0.0.1:{collector.port}",
            people=",".join(people),
            touches=touches,
            stay=0 if rate is None else 20_000,
        )
    sent: dict[str, list[str]] = defaultdict(list)
    for told in shop.told:
        assert told["failed"] == []
        sent[told["person"]] += told["sent"]

    assert {person: len(messages) for person, messages in sent.items()} == dict.fromkeys(people, 2 * touches + 4)
    assert len({each for messages in sent.values() for each in messages}) == len(people) * (2 * touches + 4)
    timelines.arrived(collector, sent)
    told_to_wait = b'kairos_collector_requests_total{status="429"}' in collector.request("GET", "/metrics").body
    assert told_to_wait == (rate is not None)
    timelines.assert_once_with_whom_they_are_about(pipeline, sent, tmp_path)


def _await_some(collector: CollectorRun, count: int) -> None:
    give_up = time.monotonic() + timelines.SECONDS_MAX
    while len(collector.records()) < count:
        assert time.monotonic() < give_up, "nothing comes"
        time.sleep(0.05)
