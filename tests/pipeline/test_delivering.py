"""From an interaction to an endpoint and back: what a customer did becomes a signed moment, and what became of it a number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.producer import Publisher
from streams.broker.embedded import EmbeddedBroker
from tests.connectors.collectors import CollectorRun
from tests.connectors.deliveries import DeliverRun, Receiver, wait_for
from tests.pipeline.harness import Pipeline, Worker


def _counted(worker: Worker, kind: str) -> int:
    return sum(worker.counts()["kairos_outcomes", kind, within] for within in ("1s", "1m"))


def _after(crm: Receiver, message_id: str) -> list[str]:
    """Whose profile an interaction has changed: by the person's logins."""
    changed = [got.data for got in crm.got if got.body["type"] == "profile.changed"]
    return [name for said in changed if said["cause"].get("messageId") == message_id for name in said["identifiers"]["user_id"]]


@pytest.mark.faults
def test_a_moment_arrives_where_it_matters_and_what_became_of_it_is_counted(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    begin = datetime.now(UTC) - timedelta(hours=1)
    with (
        Pipeline(broker.bootstrap, tmp_path / "workers", 2, ["retail"], clock="live") as pipeline,
        Receiver() as crm,
        DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "topics": ["moments", "stages", "profiles"]}}) as run,
        Publisher(broker.bootstrap, source="shop") as shop,
    ):
        (worker,) = pipeline.start(1)
        for number, revenue in enumerate((10, 10, 10, 100)):
            at = (begin + timedelta(minutes=number)).isoformat()
            order = {"anonymousId": f"browser-{app_id}", "event": "Order Completed", "timestamp": at}
            shop.publish({**order, "properties": {"revenue": revenue, "currency": "GBP"}})
        shop.flush()
        wait_for(lambda: [got for got in crm.got if got.body["type"] == "moment.fired"])

        (fired,) = [got.data for got in crm.got if got.body["type"] == "moment.fired"]
        assert fired["moment"] == "big_order"
        shop.publish({"userId": app_id, "anonymousId": f"browser-{app_id}", "type": "identify"})
        shop.flush()
        wait_for(lambda: fired["customerId"] in [got.data["customerId"] for got in crm.got if got.body["type"] == "profile.merged"])

        shop.publish({"userId": app_id, "event": "Moment Converted", "properties": {"momentId": fired["id"]}})
        shop.flush()
        wait_for(lambda: _counted(worker, "converted") == 1)

        door = CollectorRun(broker, tmp_path / "collector")
        told = {"momentId": fired["id"], "kind": "acted", "token": fired["outcomeToken"]}
        assert [door.post("/v1/outcomes", told).status for _ in range(2)] == [200, 200]
        wait_for(lambda: (named := _after(crm, f"{fired['id']}-acted")) and named == [app_id])
        assert _counted(worker, "acted") == 1
        door.close()
        wait_for(lambda: [(row["unread"], row["undone"]) for row in run.command("status")] == [(0, 0)])
        worker.stop()
