"""Programs of one's own: ten lines publish interactions, ten follow profiles, as docs/clients.md shows them; and what they may rely on."""

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.consumer import Change, Profiles, ReadFailed, read_topic
from connectors.producer import NotAnInteraction, Publisher, PublishFailed
from schemas import topics
from schemas.interaction import Interaction
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared
from tests.connectors.deliveries import publish
from tests.connectors.outputs import profile

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
NewTopic = Callable[..., str]


def published(kafka: EmbeddedBroker, topic: str) -> list[tuple[int, Any]]:
    """Partition and value of each interaction on a topic."""
    return [(record.partition, msgspec.json.decode(record.value or b"")) for record in read_topic(kafka.bootstrap, topic)]


def put(kafka: EmbeddedBroker, topic: str, *said: tuple[str, int | None] | tuple[str, int, str]) -> None:
    """Profiles (customer, version, into whom it was merged), or (customer, None): none any more."""
    values = []
    for customer, version, *merged_into in said:
        value = None if version is None else profile(customer, version, merged_into=merged_into[0] if merged_into else None)
        values.append((topic, customer, f"{customer}-{version}", value))
    publish(kafka, values)


def short(changes: list[Change]) -> list[tuple[str, int | str | None]]:
    """Customer, and the version, into whom it went, or None: ended."""
    return [(each.customer_id, each.profile.version if each.profile else each.merged_into) for each in changes]


def test_ten_lines_publish_and_ten_follow_as_the_page_shows_them(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    admin.create_topics(broker.bootstrap, declared(2))
    publishing, following = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert max(len(code.strip().splitlines()) for code in (publishing, following)) <= 10
    put(broker, topics.PROFILES, (f"{app_id}-ann", 1), (f"{app_id}-ben", 2, f"{app_id}-ann"), (f"{app_id}-ann", 3))

    def run(code: str) -> str:
        own = code.replace("127.0.0.1:9092", broker.bootstrap).replace('"42"', f'"{app_id}"').replace(".follow()", ".catch_up()")
        return subprocess.run([sys.executable, "-c", own], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=180).stdout

    run(publishing)
    seen = run(following)

    others_too = [record.value or b"" for record in read_topic(broker.bootstrap, topics.INTERACTIONS)]
    mine = [msgspec.json.decode(value) for value in others_too if app_id.encode() in value]
    assert [(value["event"], value["source"]["system"]) for value in mine] == [("Order Completed", "shop")]
    assert {line for line in seen.splitlines() if app_id in line} == {
        f"{app_id}-ann is at version 3",
        f"{app_id}-ben is {app_id}-ann now",
    } | {f"{app_id}-ann is at version 1"}
    assert app_id not in run(following), "it goes on where it was"


def test_what_is_published_has_an_id_a_time_and_a_source_and_one_customers_keep_their_order(
    broker: EmbeddedBroker, new_topic: NewTopic
) -> None:
    topic = new_topic("in", 4)
    with Publisher(broker.bootstrap, "shop", topic) as publisher:
        ids = [publisher.publish({"userId": f"u{number % 20}", "event": f"e{number}"}) for number in range(200)]
        publisher.publish(Interaction(anonymous_id="a", event="own", message_id="mine", timestamp="2026-01-01T00:00:00Z"))

    found = published(broker, topic)
    assert {value["messageId"] for _, value in found} == {*ids, "mine"}
    assert all(value["timestamp"] and value["source"] == {"system": "shop"} for _, value in found)
    assert len({partition for partition, _ in found}) == 4
    for user in range(20):
        mine = [(partition, int(value["event"][1:])) for partition, value in found if value.get("userId") == f"u{user}"]
        assert len({partition for partition, _ in mine}) == 1
        assert mine == sorted(mine)
    assert all(record.key is None for record in read_topic(broker.bootstrap, topic))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"event": "Order Completed"}, "whose"),
        ({"userId": "42"}, "event"),
        ({"userId": "42", "event": 7}, "event"),
        ({"userId": "42", "event": "x", "text": "x" * 300_000}, "bytes"),
        ({"userId": "42", "event": "x", "properties": {"at": object()}}, "object"),
    ],
)
def test_what_kairos_would_refuse_is_refused_where_it_is_said(
    broker: EmbeddedBroker, new_topic: NewTopic, said: dict[str, Any], why: str
) -> None:
    with Publisher(broker.bootstrap, "shop", new_topic("in")) as publisher, pytest.raises(NotAnInteraction, match=why):
        publisher.publish(said)


def test_a_topic_that_is_not_there_is_told_at_once(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    with pytest.raises(PublishFailed, match=app_id):
        Publisher(broker.bootstrap, "shop", app_id)
    with Profiles(broker.bootstrap, tmp_path / "p", app_id) as profiles, pytest.raises(ReadFailed, match=app_id):
        list(profiles.catch_up())


def test_the_newest_version_holds_redirects_lead_on_and_who_ended_is_gone(
    broker: EmbeddedBroker, new_topic: NewTopic, tmp_path: Path
) -> None:
    topic = new_topic("profiles", 2, {"cleanup.policy": "compact"})
    put(broker, topic, ("ann", 1), ("ann", 3), ("ann", 2), ("ben", 1), ("ben", 4, "ann"), ("col", 1), ("col", None), ("eve", None))
    with Profiles(broker.bootstrap, tmp_path / "p", topic) as profiles:
        changes = short(list(profiles.catch_up()))
        found = {name: profiles.get(name) for name in ("ann", "ben", "col", "eve")}

        assert [each for each in changes if each[0] == "ann"] == [("ann", 1), ("ann", 3)]
        assert [each for each in changes if each[0] == "ben"] == [("ben", 1), ("ben", "ann")]
        assert [each for each in changes if each[0] == "col"] == [("col", 1), ("col", None)]
        assert {name: each and (each.customer_id, each.version) for name, each in found.items()} == {
            "ann": ("ann", 3),
            "ben": ("ann", 3),
            "col": None,
            "eve": None,
        }
        assert len(profiles) == 1
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o600


def test_a_change_counts_as_seen_only_when_the_next_is_asked_for(broker: EmbeddedBroker, new_topic: NewTopic, tmp_path: Path) -> None:
    topic = new_topic("profiles")
    put(broker, topic, *((f"c{number}", 1) for number in range(5)))
    with Profiles(broker.bootstrap, tmp_path / "p", topic) as profiles:
        changes = profiles.catch_up()
        assert short([next(changes), next(changes)]) == [("c0", 1), ("c1", 1)]
        changes.close()

    with Profiles(broker.bootstrap, tmp_path / "p", topic) as again:
        assert short(list(again.catch_up())) == [(f"c{number}", 1) for number in range(5)]
        put(broker, topic, ("c5", 1))
        assert short(list(again.catch_up())) == [("c5", 1)]
        assert list(again.catch_up()) == []


def test_who_was_away_for_long_is_told_of_ends_that_kafka_has_forgotten(
    broker: EmbeddedBroker, new_topic: NewTopic, tmp_path: Path
) -> None:
    topic = new_topic("profiles")
    put(broker, topic, ("ann", 1), ("ben", 1), ("col", 1))
    with Profiles(broker.bootstrap, tmp_path / "p", topic) as profiles:
        list(profiles.catch_up())
    # As if ben had been erased, and compaction had taken all of him: a row that the topic knows nothing of.
    kept = sqlite3.connect(tmp_path / "p")
    kept.execute("INSERT INTO profiles SELECT 'gone', version, merged_into, seen, value FROM profiles WHERE customer = 'ben'")
    kept.execute("UPDATE facts SET value = ? WHERE name = 'read_at'", (str(time.time() - 13 * 3600),))
    kept.commit()
    put(broker, topic, ("ann", 2), ("col", None), ("col", 3), ("ben", None))

    with Profiles(broker.bootstrap, tmp_path / "p", topic) as profiles:
        changes = short(list(profiles.catch_up()))

        assert sorted(changes, key=str) == [("ann", 2), ("ben", None), ("col", 3), ("gone", None)]
        assert [name for name in ("ann", "ben", "col", "gone") if profiles.get(name)] == ["ann", "col"]


def test_a_topic_that_was_made_anew_is_read_anew(broker: EmbeddedBroker, new_topic: NewTopic, tmp_path: Path) -> None:
    old, new = new_topic("old"), new_topic("new")
    put(broker, old, ("ann", 5), ("ben", 9))
    put(broker, new, ("ann", 1))
    with Profiles(broker.bootstrap, tmp_path / "p", old) as profiles:
        list(profiles.catch_up())

    with Profiles(broker.bootstrap, tmp_path / "p", new) as profiles:
        assert short(list(profiles.catch_up())) == [("ann", 1), ("ben", None)]


def test_following_goes_on_with_what_comes(broker: EmbeddedBroker, new_topic: NewTopic, tmp_path: Path) -> None:
    topic = new_topic("profiles")
    put(broker, topic, ("ann", 1))
    seen: list[tuple[str, int | str | None]] = []
    with Profiles(broker.bootstrap, tmp_path / "p", topic) as profiles:
        for change in profiles.follow(lambda: len(profiles) == 1 and profiles.get("ann") == profile("ann", 2)):
            seen.extend(short([change]))
            if len(seen) == 1:
                put(broker, topic, ("ann", 2))

    assert seen == [("ann", 1), ("ann", 2)]


@pytest.mark.faults
def test_following_goes_on_when_kafka_comes_back(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as kafka, Profiles(kafka.bootstrap, tmp_path / "p") as profiles:
        admin.create_topics(kafka.bootstrap, declared(2))
        put(kafka, topics.PROFILES, ("ann", 1))
        seen: list[tuple[str, int | str | None]] = []
        for change in profiles.follow(lambda: len(profiles) == 2 and profiles.get("ann") == profile("ann", 2)):
            seen.extend(short([change]))
            if len(seen) == 1:
                kafka.kill()
                kafka.start()
                put(kafka, topics.PROFILES, ("ann", 2), ("ben", 1))

    assert sorted(seen) == [("ann", 1), ("ann", 2), ("ben", 1)]
