"""What every test may ask for: a real Kafka, once a session, and names that no other test uses. A Kafka that cannot be had is an error, never a skip."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """A real Kafka for the whole session, one for each xdist worker; do not stop, kill or pause it, start your own for that."""
    directory = Path(tempfile.mkdtemp(prefix="kairos-broker-"))
    try:
        with EmbeddedBroker(directory) as kafka:
            yield kafka
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def app_id() -> str:
    """A name that no other test has, for an app, a consumer group or a prefix of topics."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic_prefix(app_id: str) -> str:
    """A prefix for this test's topics, with its dot."""
    return f"{app_id}."


@pytest.fixture
def new_topic(broker: EmbeddedBroker, topic_prefix: str) -> Callable[..., str]:
    """Call it with a short name, partitions and settings; it creates the topic on the session's Kafka and returns its full name."""

    def create(name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        topic = admin.NewTopic(topic_prefix + name, partitions, config or {})
        admin.create_topics(broker.bootstrap, [topic])
        return topic.name

    return create
