"""From an interaction to an endpoint and back: what a customer did becomes a signed moment, and what became of it a number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.producer import Publisher
from streams.broker.embedded import EmbeddedBroker
from tests.connectors.deliveries import DeliverRun, Receiver, wait_for
from tests.pipeline.harness import Pipeline


@pytest.mark.faults
def test_a_moment_arrives_where_it_matters_and_what_became_of_it_is_counted(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    begin = datetime.now(UTC) - timedelta(hours=1)
    with (
        Pipeline(broker.bootstrap, tmp_path / "workers", 2, ["retail"], clock="live") as pipeline,
        Receiver() as crm,
        DeliverRun(broker, tmp_path, app_id, {"crm": {"url": crm.url, "topics": ["moments", "stages"]}}) as run,
        Publisher(broker.bootstrap, source="shop") as shop,
    ):
        (worker,) = pipeline.start(1)
        for number, revenue in enumerate((10, 10, 10, 100)):
            at = (begin + timedelta(minutes=number)).isoformat()
            order = {"userId": app_id, "event": "Order Completed", "timestamp": at}
            shop.publish({**order, "properties": {"revenue": revenue, "currency": "GBP"}})
        shop.flush()
        wait_for(lambda: [got for got in crm.got if got.body["type"] == "moment.fired"])

        (fired,) = [got.data for got in crm.got if got.body["type"] == "moment.fired"]
        assert fired["moment"] == "big_order"
        shop.publish({"userId": app_id, "event": "Moment Acted", "properties": {"momentId": fired["id"]}})
        shop.flush()
        wait_for(lambda: sum(worker.counts()["kairos_outcomes", "acted", within] for within in ("1s", "1m")) == 1)
        wait_for(lambda: [(row["unread"], row["undone"]) for row in run.command("status")] == [(0, 0)])
        worker.stop()
