"""The collector as clients meet it, on a real Kafka: what it answers 200 to is on the topic, what it does not take has a code, and a kill loses nothing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import rudderstack.analytics as rudder
from segment.analytics import Client

from connectors.collector import keys
from streams.broker.embedded import EmbeddedBroker
from tests.connectors.collectors import SECONDS_MAX, CollectorRun


@pytest.fixture(scope="module")
def collector(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorRun]:
    """One for all tests that know theirs by a name."""
    run = CollectorRun(broker, tmp_path_factory.mktemp("collector"))
    yield run
    run.close()


@pytest.fixture
def fresh(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[CollectorRun]:
    """One that has counted nothing, and may be killed."""
    run = CollectorRun(broker, tmp_path)
    yield run
    run.close()


def seen(event: str, number: int = 0) -> dict[str, Any]:
    return {"type": "track", "event": event, "userId": "ann", "messageId": f"{event}-{number}"}


def test_what_is_answered_with_200_is_on_the_topic(collector: CollectorRun, app_id: str) -> None:
    batch = [seen(app_id, number) for number in range(250)]

    answer = collector.post("/v1/batch", {"batch": batch, "sentAt": "2026-11-22T12:00:00Z"})

    assert (answer.status, answer.json()) == (200, {"success": True})
    mine = [each for each in collector.interactions() if each.get("event") == app_id]
    assert {each["messageId"] for each in mine} == {each["messageId"] for each in batch}
    assert {each["source"]["system"] for each in mine} == {"web"}
    assert all(each["sentAt"] == "2026-11-22T12:00:00Z" <= each["receivedAt"] for each in mine)


def test_every_path_takes_its_message_however_it_is_packed_or_labelled(collector: CollectorRun, app_id: str) -> None:
    body = json.dumps({"userId": app_id, "writeKey": collector.key, "name": app_id}).encode()
    for path in ("track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a"):
        plain = collector.request("POST", f"/v1/{path}", body, key="", Content_Type="text/plain")
        packed = collector.request("POST", f"/v1/{path}", gzip.compress(body), key="", Content_Type="application/x-www-form-urlencoded")
        assert (plain.status, packed.status) == (200, 200), path

    mine = Counter(each["type"] for each in collector.interactions() if each.get("userId") == app_id)

    assert mine == dict.fromkeys(("track", "identify", "page", "screen", "group", "alias"), 4)
    assert not any(collector.key.encode() in value for _, value in collector.records())


def test_a_bad_item_is_refused_by_a_header_and_the_batch_is_taken(collector: CollectorRun, app_id: str) -> None:
    assert collector.post("/v1/b", {"batch": [seen(app_id), 7, {**seen(app_id, 1), "text": "x" * 40_000}]}).status == 200

    refused = [
        headers for headers, value in collector.records() if "kairos-refused" in headers and (value == b"7" or app_id.encode() in value)
    ]

    assert sorted(headers["kairos-refused"] for headers in refused) == [b"not_an_object", b"too_large"]


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status", "code"),
    [
        ("POST", "/v1/batch", b"{}", "wk_nobody", 401, "invalid_write_key"),
        ("POST", "/v1/batch", b"nothing", None, 400, "not_json"),
        ("POST", "/v1/batch", b"{}", None, 400, "no_batch"),
        ("POST", "/v1/outcomes", b'{"momentId": "m1", "kind": "ignored"}', None, 400, "no_outcome"),
        ("POST", "/v1/t", b" " * (4 << 20) + b"{}", None, 413, "body_too_large"),
        ("POST", "/v1/other", b"{}", None, 404, "no_such_path"),
        ("GET", "/v1/batch", b"", None, 405, "no_such_method"),
        ("GET", "/v1/projects/wk_nobody/settings", b"", None, 401, "invalid_write_key"),
    ],
)
def test_what_is_not_taken_has_a_status_and_a_code(
    collector: CollectorRun, method: str, path: str, body: bytes, key: str | None, status: int, code: str
) -> None:
    answer = collector.request(method, path, body, key)

    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


def test_who_sends_too_fast_is_told_when_to_come_again(collector: CollectorRun, app_id: str) -> None:
    slow = keys.create(collector.keys, "slow", "2026-11-22T12:00:00Z", events_per_second=10)
    time.sleep(keys.LOOK_SECONDS)
    body = json.dumps({"batch": [seen(app_id)] * 20}).encode()

    first, second = (collector.request("POST", "/v1/batch", body, slow) for _ in range(2))

    assert (first.status, second.status, second.json()["code"]) == (200, 429, "rate_limited")
    assert int(second.headers["retry-after"]) >= 1


def test_a_page_in_a_browser_may_send(collector: CollectorRun) -> None:
    asked = collector.request(
        "OPTIONS",
        "/v1/t",
        Origin="https://shop.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )
    settings = collector.request("GET", f"/v1/projects/{collector.key}/settings", Origin="https://shop.example")

    assert asked.status == 200 and "Authorization" in asked.headers["access-control-allow-headers"]
    assert settings.headers["access-control-allow-origin"] == "*"
    assert settings.json()["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{collector.port}/v1"


def test_health_metrics_and_description_tell_of_it(fresh: CollectorRun, app_id: str) -> None:
    fresh.post("/v1/batch", {"batch": [seen(app_id), 5]})

    assert (fresh.request("GET", "/healthz").status, fresh.request("GET", "/readyz").status) == (200, 200)
    metrics = fresh.request("GET", "/metrics").body.decode()
    assert 'kairos_collector_items_total{outcome="taken",source="web"} 1.0' in metrics
    assert 'kairos_collector_items_total{outcome="refused",source="web"} 1.0' in metrics
    assert 'kairos_collector_requests_total{status="200"} 1.0' in metrics
    described = fresh.request("GET", "/openapi.json").json()
    assert {"/v1/batch", "/v1/t", "/v1/track", "/healthz", "/v1/projects/{key}/settings"} <= described["paths"].keys()


def test_a_port_that_is_taken_is_told_and_ends_as_any_failure(collector: CollectorRun) -> None:
    words = ["collector", "--broker", collector.kafka.bootstrap, "--port", str(collector.port)]
    environment = os.environ | {"KAIROS_DATA_DIR": str(collector.directory)}

    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *words], env=environment, capture_output=True, text=True, timeout=SECONDS_MAX
    )

    assert done.returncode == 1
    assert "address already in use" in done.stderr


def test_segments_client_as_it_is(collector: CollectorRun, app_id: str) -> None:
    failed: list[Exception] = []
    client = Client(collector.key, host=f"http://127.0.0.1:{collector.port}", on_error=lambda error, _: failed.append(error), gzip=True)
    for number in range(300):
        client.track(app_id, "Product Viewed", {"number": number})
    client.identify(app_id, {"email": f"{app_id}@brand.co"})
    client.alias("before", app_id)
    client.shutdown()

    mine = Counter(each["type"] for each in collector.interactions() if each.get("userId") == app_id)
    assert not failed
    assert mine == {"track": 300, "identify": 1, "alias": 1}


def test_rudderstacks_client_as_it_is(collector: CollectorRun, app_id: str) -> None:
    failed: list[Exception] = []
    rudder.write_key, rudder.dataPlaneUrl = collector.key, f"http://127.0.0.1:{collector.port}"
    rudder.on_error = lambda error, _: failed.append(error)
    for number in range(120):
        rudder.track(app_id, "Product Viewed", {"number": number})
    rudder.identify(app_id, {"email": f"{app_id}@brand.co"})
    rudder.shutdown()

    mine = [each for each in collector.interactions() if each.get("userId") == app_id]
    assert not failed
    assert Counter(each["type"] for each in mine) == {"track": 120, "identify": 1}
    assert [each["context"]["traits"]["email"] for each in mine if each["type"] == "identify"] == [f"{app_id}@brand.co"]


def acknowledged_under_load(run: CollectorRun, name: str, fail: Callable[[], None]) -> set[str]:
    """Four send without end while something fails, twice, each time once it has gone well for a while; the ids of what was answered with 200."""
    acknowledged: set[str] = set()
    over = threading.Event()

    def send(thread: int) -> None:
        number = 0
        while not over.is_set():
            batch = [seen(name, thread * 1_000_000 + number + each) for each in range(50)]
            try:
                answer = run.post("/v1/batch", {"batch": batch})
            except (OSError, HTTPException):  # It may die between an answer's head and its body.
                continue
            if answer.status == 200:
                acknowledged.update(str(each["messageId"]) for each in batch)
            number += 50

    def go_well() -> None:
        before, give_up = len(acknowledged), time.monotonic() + SECONDS_MAX
        while len(acknowledged) < before + 1_000:
            assert time.monotonic() < give_up, "nothing is acknowledged"
            time.sleep(0.01)

    senders = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(2):
            go_well()
            fail()
        go_well()
    finally:
        over.set()
        for sender in senders:
            sender.join()
    return acknowledged


def test_nothing_that_was_acknowledged_is_lost_when_the_collector_is_killed(fresh: CollectorRun, app_id: str) -> None:
    def killed() -> None:
        fresh.process.kill()
        fresh.process.wait()
        fresh.start()

    acknowledged = acknowledged_under_load(fresh, app_id, killed)

    assert len(acknowledged) >= 3_000
    assert not acknowledged - {each.get("messageId") for each in fresh.interactions()}


@pytest.mark.faults
def test_nothing_that_was_acknowledged_is_lost_when_kafka_is_killed(tmp_path: Path, app_id: str) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as kafka:
        collector = CollectorRun(kafka, tmp_path / "data")

        def killed() -> None:
            kafka.kill()
            kafka.start()

        acknowledged = acknowledged_under_load(collector, app_id, killed)

        assert len(acknowledged) >= 3_000
        assert not acknowledged - {each.get("messageId") for each in collector.interactions()}
        collector.close()


@pytest.mark.faults
def test_a_kafka_that_is_away_is_503_and_then_it_goes_on(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as kafka:
        collector = CollectorRun(kafka, tmp_path / "data")
        assert collector.post("/v1/t", seen("before")).status == 200
        kafka.kill()
        assert collector.request("GET", "/healthz").status == 200
        assert collector.request("GET", "/readyz").status == 503
        away = collector.post("/v1/t", seen("away"))
        assert (away.status, away.json()["code"]) == (503, "kafka_unavailable")
        assert int(away.headers["retry-after"]) >= 1
        kafka.start()
        give_up = time.monotonic() + SECONDS_MAX
        while collector.post("/v1/t", seen("after")).status != 200:
            assert time.monotonic() < give_up, "it does not go on"
        assert {"before", "after"} <= {each["event"] for each in collector.interactions()}
        collector.close()
