"""Deliveries while processes come and go, and while Kafka does."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.connectors.deliveries import Answer, DeliverRun, Receiver, in_order, moments, publish, wait_for
from tests.connectors.outputs import moment

PEOPLE = [f"c{letter * 26}" for letter in "abcdefgh"]


@pytest.mark.faults
def test_a_second_process_takes_its_share_and_what_the_first_leaves_without_a_repetition(
    broker: EmbeddedBroker, tmp_path: Path, app_id: str
) -> None:
    with Receiver(lambda _: Answer(after_seconds=0.03)) as crm:
        first, second = (
            DeliverRun(broker, tmp_path / name, app_id, {"crm": {"url": crm.url, "moments": [app_id]}}, instance=None)
            for name in ("first", "second")
        )
        first.start()
        publish(broker, moments(moment(app_id, number, PEOPLE[number % 8]) for number in range(1_000)))
        wait_for(lambda: len(crm.got) >= 50)
        second.start()
        wait_for(lambda: len(crm.got) >= 400)
        first.stop()
        wait_for(lambda: len(crm.ids()) == 1_000)
        second.stop()

    assert in_order(crm.got)
    assert not any(got.before for got in crm.got)


@pytest.mark.faults
def test_a_kafka_that_goes_away_and_comes_back_ends_nothing(tmp_path: Path, app_id: str) -> None:
    with (
        EmbeddedBroker(tmp_path / "kafka") as kafka,
        Receiver() as crm,
        DeliverRun(kafka, tmp_path / "data", app_id, {"crm": {"url": crm.url}}),
    ):
        publish(kafka, moments(moment(app_id, number, PEOPLE[number % 8]) for number in range(100)))
        wait_for(lambda: len(crm.got) >= 50)
        kafka.kill()
        kafka.start()
        publish(kafka, moments(moment(app_id, number, PEOPLE[number % 8]) for number in range(100, 200)))
        wait_for(lambda: len(crm.ids()) == 200)

    assert in_order(crm.got)
