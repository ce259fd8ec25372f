"""The headers of an output are a CloudEvent to an independent reader."""

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from schemas import record, topics

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("topic", sorted(topics.BY_NAME))
def test_cloudevents_reads_the_headers_of_every_topic(topic: str) -> None:
    headers = record.cloud_event_headers("abc", topic, "kairos/customer", "2026-03-01T09:00:00.250Z")

    event = from_binary(KafkaMessage(headers=dict(headers), key=None, value=b'{"id":"abc"}'), JSONFormat())

    assert event.get_id() == "abc"
    assert event.get_type() == topic
    assert event.get_source() == "kairos/customer"
    assert event.get_specversion() == "1.0"
    assert event.get_time() == datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == {"id": "abc"}


def test_trace_context_is_carried_on_beside_the_event() -> None:
    headers = record.cloud_event_headers("abc", topics.MOMENTS, "kairos/customer", "2026-03-01T09:00:00Z", TRACE)

    assert dict(headers)["traceparent"] == TRACE
    assert len(headers) == len(dict(headers))
