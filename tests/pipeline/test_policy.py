"""A worker comes back with another policy on a real broker: the people who are published are those whom that policy would always have found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from connectors.consumer import read_topic
from connectors.jsonl.source import READER as JSON_LINES
from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from streams.cli import diff, policies, state
from streams.identity.compare import difference
from streams.identity.identifiers import customer_id
from streams.identity.policy import Policy, version
from streams.identity.sweep import SWEPT
from streams.instants import DAY, HOUR
from tests.laws.history import as_plain
from tests.laws.memory import POLICY
from tests.oracles import identity as oracle
from tests.pipeline.harness import Pipeline, Worker, _await
from tests.pipeline.sources import Source
from tests.simulation import history, switch
from tests.simulation.history import Seen

pytestmark = pytest.mark.faults

PARTITIONS = 4
SECONDS_MAX = 120.0
FINAL = switch.changed(switch.changed(switch.changed(POLICY, "fewer of each"), "shared by more"), "contested: first")


def _seen() -> list[Seen]:
    """What twenty little worlds of few identifiers have seen, each with names of its own."""
    found = []
    for number in range(20):
        chance = Random(f"policy {number}")
        met = [one.identifiers for one in history._meetings(chance, history._pool(chance))]
        for one in history._interactions(chance, met, spans=(50 * HOUR, 100 * DAY)):
            named = [
                (kind, f"+447946{number:04d}{value[-2:]}" if kind == "phone" else f"w{number}-{value}") for kind, value in one.identifiers
            ]
            found.append(one._replace(id=f"w{number}-{one.id}", identifiers=tuple(sorted(named)), junk=None))
    return found


def _wanted(seen: Iterable[Seen], policy: Policy) -> dict[str, int]:
    """The oracle's customers, and how many interactions each has."""
    plain = as_plain(policy)
    events = [(tuple(sorted({bytes(oracle.key_of(plain, *each)) for each in one.identifiers})), one.at, one.id) for one in seen]
    _, touches = oracle.people(plain, events)
    return {customer_id(canonical): len(ids) for canonical, ids in touches.items()}


def _published(pipeline: Pipeline) -> dict[str, int]:
    """The profiles that live, and how many interactions each counts."""
    newest: dict[str, dict[str, Any] | None] = {}
    for record in read_topic(pipeline.bootstrap, topics.PROFILES):
        newest[(record.key or b"").decode()] = None if record.value is None else json.loads(record.value)
    return {name: value["interactions"] for name, value in newest.items() if value is not None and not value.get("mergedInto")}


def _is_swept(pipeline: Pipeline, policy: Policy) -> bool:
    rows = state.rows(read_topic(pipeline.bootstrap, pipeline.changelog), lambda key: key.startswith(SWEPT.tag)).values()
    stands = [SWEPT.decode(row) for row in rows]
    return len(stands) == PARTITIONS and all(one.policy == version(policy) and one.at is None for one in stands)


def _settled(pipeline: Pipeline, workers: list[Worker], policy: Policy, wanted: dict[str, int]) -> None:
    """The sweep is done, and what it said is there to be read."""
    _await(lambda: _is_swept(pipeline, policy), SECONDS_MAX, workers, "the sweep does not end")
    pipeline.await_settled(workers)
    _await(lambda: _published(pipeline) == wanted, SECONDS_MAX, workers, "other people than the oracle's are published")


def test_the_people_published_are_those_of_the_policy_that_came_last(broker: EmbeddedBroker, tmp_path: Path) -> None:
    seen = _seen()
    lines = tmp_path / "seen.jsonl"
    lines.write_bytes(b"".join(msgspec.json.encode(history.wire(one)) + b"\n" for one in seen))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policies.written(FINAL)))
    first, last = _wanted(seen, POLICY), _wanted(seen, FINAL)
    assert len(first.keys() ^ last.keys()) > 10

    with Pipeline(broker.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live", region="GB") as pipeline:
        worker = pipeline.worker("one")
        pipeline.play(Source(lines, JSON_LINES, ("retail",), None))
        _await(worker.is_ready, SECONDS_MAX, [worker], "it does not become ready")
        _settled(pipeline, [worker], POLICY, first)
        worker.stop()
        before, forecast = diff.resolved(lambda: read_topic(pipeline.bootstrap, pipeline.changelog), POLICY, FINAL)

        worker = pipeline.worker("one", policy=file)
        _settled(pipeline, [worker], FINAL, last)

        told = [json.loads(one.value) for one in read_topic(pipeline.bootstrap, topics.IDENTITY_CHANGES) if one.value is not None]
        worker.stop()
        log = worker.log()
    assert f"judged under policy {version(FINAL)}" in log and "were other" in log
    changed = difference(before, forecast)
    assert set(forecast.values()) == last.keys()
    assert (len(changed.merges) > 0, len(changed.splits) > 0) == (True, True)
    parted = {one["from"][0] for one in told if one["kind"] == "split"}
    assert {one.customer for one in changed.splits} <= parted
