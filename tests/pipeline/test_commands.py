"""Commands through the real command line, on a real broker: two customers merged, kept apart, allowed again, forgotten."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from connectors.consumer import read_topic
from connectors.jsonl.source import READER as JSON_LINES
from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from streams.cli import policies
from streams.journeys.identity_policy import identity_policy
from tests.pipeline.harness import ROOT, SECRET, Pipeline
from tests.pipeline.sources import Source

PARTITIONS = 4
ANN, SHOP = "email:ann@kairos.shop", "crm_id:17850"


def _interactions(path: Path) -> Source:
    """An order of a number in the shop's system, one of an e-mail address, then one of both: a customer with three orders."""
    names: list[dict[str, list[str]]] = [{"crm_id": ["17850"]}, {"email": ["Ann@kairos.shop"]}]
    names.append({**names[0], **names[1]})
    orders = [
        {
            "messageId": f"m{number}",
            "type": "track",
            "event": "Order Completed",
            "timestamp": f"2026-01-0{number}T09:00:00Z",
            "identifiers": named,
            "properties": {"revenue": 40, "currency": "GBP"},
        }
        for number, named in enumerate(names, start=1)
    ]
    path.write_text("".join(json.dumps(order) + "\n" for order in orders))
    return Source(path, JSON_LINES, ("retail",), None)


class Asked(NamedTuple):
    """A command line, and the environment that it needs."""

    command: list[str]
    environment: dict[str, str]


def _asked(pipeline: Pipeline, *words: str, module: str = "streams.cli", **environment: str) -> Asked:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
    ours |= {
        "KAIROS_SECRET": SECRET,
        "KAIROS_DATA_DIR": str(pipeline.directory / "cli"),
        "KAIROS_APP_ID": pipeline.app_id,
        "KAIROS_ACTOR": "ben",
        **environment,
    }
    return Asked([sys.executable, "-m", module, "identity", *words, "--broker", pipeline.bootstrap], ours)


def _give(pipeline: Pipeline, *words: str, module: str = "streams.cli", **environment: str) -> subprocess.CompletedProcess[str]:
    asked = _asked(pipeline, *words, module=module, **environment)
    return subprocess.run(asked.command, cwd=ROOT, env=asked.environment, capture_output=True, text=True, timeout=300)


def _receipt(pipeline: Pipeline, *words: str) -> dict[str, Any]:
    done = _give(pipeline, *words, "--json")
    assert done.returncode == 0, done.stderr
    receipt: dict[str, Any] = json.loads(done.stdout)
    return receipt


def _values(pipeline: Pipeline, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in read_topic(pipeline.bootstrap, topic) if record.value is not None]


def _named_by_the_conflict(pipeline: Pipeline, rule: str) -> list[str]:
    """The command, without its reason, that an event on the conflicts topic names; it holds no value."""
    (said,) = {conflict["command"] for conflict in _values(pipeline, topics.IDENTITY_CONFLICTS) if conflict["rule"] == rule}
    kairos, identity, *words, why, dots = said.split()
    assert (kairos, identity, why, dots) == ("kairos", "identity", "--why", "...")
    assert "17850" not in said and "ann@" not in said
    return words


def _profiles(pipeline: Pipeline) -> dict[str, dict[str, Any] | None]:
    return {
        (record.key or b"").decode(): None if record.value is None else json.loads(record.value)
        for record in read_topic(pipeline.bootstrap, topics.PROFILES)
    }


def _orders(pipeline: Pipeline) -> dict[str, int]:
    """How many orders each customer has who is not merged into another."""
    living = {name: profile for name, profile in _profiles(pipeline).items() if profile is not None and not profile.get("mergedInto")}
    return {name: profile["totals"]["GBP"]["orders"] for name, profile in living.items()}


@pytest.fixture
def pipeline(broker: EmbeddedBroker, tmp_path: Path) -> Any:
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as made:
        started = made.start(1)
        made.play(_interactions(tmp_path / "orders.jsonl"))
        made.await_settled(started)
        yield made
        started[0].stop()


def test_what_was_merged_is_kept_apart_allowed_again_and_forgotten(pipeline: Pipeline) -> None:
    ((one, orders),) = _orders(pipeline).items()
    assert orders == 3

    apart = _receipt(pipeline, "unlink", ANN, SHOP, "--why", "a family")
    assert (apart["kind"], apart["from"], apart["holds"]) == ("cannot_link", [one], True)
    assert (apart["command"]["actor"], apart["command"]["reason"]) == ("ben", "a family")
    assert set(apart["into"]) == _orders(pipeline).keys()
    assert sorted(_orders(pipeline).values()) == [1, 2]
    assert {"kind": "split", "from": [one]}.items() <= next(
        change for change in _values(pipeline, topics.IDENTITY_CHANGES) if change["kind"] == "split"
    ).items()
    assert [stage["to"] for stage in _values(pipeline, topics.STAGES) if stage.get("retracts")], "nothing was taken back"

    again = _give(pipeline, *_named_by_the_conflict(pipeline, "cannot_link"), "--why", "the same person after all")
    assert again.returncode == 0, again.stderr
    assert "may be one customer again" in again.stdout and " by ben, " in again.stdout
    assert _orders(pipeline) == {one: 3}

    file = pipeline.directory / "ann.json"
    exported = _receipt(pipeline, "export", ANN, "--to", str(file), "--why", "asked for it")
    held = json.loads(file.read_bytes())
    assert (exported["kind"], exported["from"], exported["into"]) == ("export", [one], [one])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (held["profile"]["customerId"], held["receipt"]) == (one, exported)
    assert [touch["messageId"] for touch in held["timeline"]] == ["m1", "m2", "m3"]
    assert {command["kind"] for command in held["commands"]} == {"cannot_link", "allow_link", "export"}

    policy = pipeline.directory / "new.json"
    policy.write_text(json.dumps({**policies.written(identity_policy(b"any", "GB")), "contested": "first"}))
    changed = json.loads(_give(pipeline, "diff", "--policy", str(policy), "--json").stdout)
    assert (changed["customersBefore"], changed["customersAfter"], changed["same"]) == (1, 1, 1)

    forgotten = _receipt(pipeline, "erase", ANN, "--why", "asked for it", "--yes")
    assert (forgotten["kind"], forgotten["from"], forgotten["deleted"]["interactions"]) == ("erasure", [one], 3)
    assert forgotten["command"]["reason"] == "asked for it"
    assert all(profile is None for profile in _profiles(pipeline).values())

    late = _receipt(pipeline, "unlink", ANN, SHOP, "--why", "nobody is left")
    assert (late["from"], late["into"], late["holds"]) == ([], [], True)
    kept = _values(pipeline, topics.COMMANDS)
    assert [command["kind"] for command in sorted(kept, key=lambda command: command["at"])] == [
        "cannot_link",
        "allow_link",
        "export",
        "erase",
        "cannot_link",
    ]
    told = b"".join(record.value or b"" for record in read_topic(pipeline.bootstrap, topics.IDENTITY_CHANGES))
    assert b"17850" not in told and b"ann@" not in told.lower()


def test_a_value_that_is_marked_links_nobody_and_a_bad_command_is_told(pipeline: Pipeline) -> None:
    marked = _receipt(pipeline, "generic", ANN, "--why", "a shop's own address")
    assert marked["kind"] == "mark_generic" and len(_orders(pipeline)) == 2

    again = _receipt(pipeline, *_named_by_the_conflict(pipeline, "generic"), "--why", "Ann's own after all")
    assert (again["kind"], again["holds"], len(again["into"])) == ("unmark", True, 1)
    assert list(_orders(pipeline).values()) == [3]

    linked = _receipt(pipeline, "link", "loyalty_id:L1", SHOP, "--why", "Ann's card")
    assert (linked["kind"], linked["holds"]) == ("link", True)

    producer = Producer({"bootstrap.servers": pipeline.bootstrap})
    producer.produce(topics.COMMANDS, b'{"id":"x","kind":"link"}', b"x")
    assert producer.flush(120) == 0
    deadline = time.monotonic() + 120
    while not (letters := _values(pipeline, topics.DEAD_LETTERS)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [(letter["reason"], letter["topic"]) for letter in letters] == [("wrong_type", topics.COMMANDS)]


def test_without_a_worker_without_patience_or_without_topics_it_says_what_becomes_of_the_command(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as pipeline:
        done = _give(pipeline, "generic", ANN, "--why", "a shop's own address", "--wait", "1")

        assert done.returncode == 1
        assert "No receipt came within 1 s" in done.stderr and "kairos worker" in done.stderr
        (kept,) = _values(pipeline, topics.COMMANDS)
        assert kept["id"] in done.stderr

        asked = _asked(pipeline, "unmark", ANN, "--why", "Ann's own", "--wait", "100")
        with subprocess.Popen(asked.command, cwd=ROOT, env=asked.environment, stderr=subprocess.PIPE, text=True) as waiting:
            deadline = time.monotonic() + 120
            while len(kept := _values(pipeline, topics.COMMANDS)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            time.sleep(1)  # The command hears that it lies there a moment after it does.
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=60)
        assert waiting.returncode == 1
        (unmark,) = (one["id"] for one in kept if one["kind"] == "unmark")
        assert f"Not waited for any longer. Command {unmark} lies on its topic" in said

    began = time.monotonic()
    nowhere = _give(pipeline, "generic", ANN, "--why", "a shop's own address", "--wait", "250")

    assert nowhere.returncode == 1
    assert "There is no topic journey.commands.v1" in nowhere.stderr and "kairos topics create" in nowhere.stderr
    assert time.monotonic() - began < 200
