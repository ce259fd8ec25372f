"""`kairos run` end to end on a Kafka of its own, and what can be asked afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from streams.broker.embedded import EmbeddedBroker
from streams.cli import export, session

ORDERS = 4
PEOPLE = 6
RUN_SECONDS_MAX = 600
STOP_SECONDS_MAX = 120


class Made(NamedTuple):
    """A run that was made: its data directory, its export, what it printed, and its Kafka, running again."""

    data: Path
    out: Path
    summary: dict[str, Any]
    bootstrap: str


def _source(path: Path) -> Path:
    """Orders of a few people, one of whom is known by an e-mail address too; one of the lines is broken, one came twice."""
    lines = []
    for month in range(1, ORDERS + 1):
        for person in range(PEOPLE):
            identifiers = {"crm_id": [f"17{person}"]} | ({"email": ["ann@brand.co"]} if person == 0 and month > 1 else {})
            order = {
                "messageId": f"m{person}-{month}",
                "event": "Order Completed",
                "identifiers": identifiers,
                "source": {"system": "shop"},
            }
            lines.append(
                json.dumps(
                    order
                    | {"timestamp": f"2026-0{month}-0{person + 1}T10:00:00Z", "properties": {"revenue": 40 * month, "currency": "GBP"}}
                )
            )
    path.write_text("\n".join([*lines, "{broken", lines[0]]) + "\n")
    return path


def _environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP"}
    return kept | {"KAIROS_DATA_DIR": str(data), "KAIROS_SECRET": "a secret of the tests"}


def _kairos(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.cli", *words]
    return subprocess.run(command, env=_environment(data), capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)


def _left(data: Path) -> list[str]:
    """Processes that still speak of this data directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        told = [*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()]
        if process.pid != os.getpid() and any(str(data) in word for word in told):
            found.append(" ".join(process.info["cmdline"] or ()))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    directory = tmp_path_factory.mktemp("run")
    data, out = directory / "data", directory / "out"
    source = _source(directory / "orders.jsonl")
    words = ("--source", str(source), "--reader", "jsonl", "--journeys", "retail", "--until", "2026-12-31T00:00:00Z", "--partitions", "2")
    result = _kairos(data, "run", *words, "--export", str(out), "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert _left(data) == []
    last = session.recall(data)
    assert last is not None
    with EmbeddedBroker(Path(last.directory) / "broker") as kafka:
        yield Made(data, out, json.loads(result.stdout), kafka.bootstrap)


def test_a_run_reconciles(made: Made) -> None:
    counts = {name: made.summary[name] for name in ("sent", "read", "applied", "duplicates", "dead", "people", "orders", "reconciles")}

    applied = ORDERS * PEOPLE
    assert counts == {
        "sent": applied + 2, "read": applied + 2, "applied": applied, "duplicates": 1, "dead": 1, "people": PEOPLE, "orders": applied, "reconciles": True,
    }  # fmt: skip
    assert made.summary["deadByReason"] == {"unreadable": 1}


def test_a_run_waits_until_every_deadline_has_fallen_due(made: Made) -> None:
    assert made.summary["stages"] == {"retail": {"lapsed": PEOPLE}}
    assert made.summary["stageChanges"]["retail"]["lapsed"] == PEOPLE


def test_an_export_holds_what_was_published(made: Made) -> None:
    lines = {path.name: path.read_text().splitlines() for path in made.out.iterdir()}

    assert set(lines) == export.FILES
    assert len(lines["profiles.jsonl"]) == PEOPLE
    assert {json.loads(line)["journeys"]["retail"]["stage"] for line in lines["profiles.jsonl"]} == {"lapsed"}
    assert len(lines["stages.jsonl"]) == sum(made.summary["stageChanges"]["retail"].values())
    assert [(json.loads(line)["reason"], json.loads(line)["detail"]) for line in lines["dead.jsonl"]] == [
        ("unreadable", "no JSON: Expecting property name at character 1")
    ]
    assert json.loads((made.out / "summary.json").read_text()) == made.summary


def test_the_digest_is_the_runs_own(made: Made) -> None:
    assert _kairos(made.data, "digest").stdout.strip() == made.summary["digest"]


def test_a_customer_is_found_with_profile_and_timeline(made: Made) -> None:
    found = json.loads(_kairos(made.data, "who", "email:Ann@Brand.co", "--json").stdout)

    assert found["profile"]["identifiers"] == {"crm_id": ["170"], "email": ["ann@brand.co"]}
    assert [touch["messageId"] for touch in found["timeline"]] == [f"m0-{month}" for month in range(1, ORDERS + 1)]
    assert found["timeline"][0]["sent"]["properties"]["revenue"] == 40


def test_a_customer_reads_well(made: Made) -> None:
    told = _kairos(made.data, "who", "crm_id:170").stdout

    for words in ("ann@brand.co", "lapsed since", f"{ORDERS} orders 400.00", f"{ORDERS} interactions", "m0-4"):
        assert words in told


def test_a_customer_s_identifiers_say_why_they_belong(made: Made, tmp_path: Path) -> None:
    drawn = tmp_path / "ann.svg"
    found = json.loads(_kairos(made.data, "who", "crm_id:170", "--json", "--graph", str(drawn)).stdout)["identity"]

    (crm, email), (link,) = found["identifiers"], found["identifiers"][1]["chain"]
    assert (crm["identifier"], crm["chain"], email["identifier"]) == ("crm_id:170", [], "email:ann@brand.co")
    assert [one["messageId"] for one in link["interactions"]] == ["m0-2", "m0-3", "m0-4"]
    assert (crm["firstSeen"], email["firstSeen"], email["lastSeen"]) == tuple(f"2026-0{month}-01T10:00:00Z" for month in (1, 2, 4))
    assert found["refused"] == []
    assert "email:ann@brand.co" in drawn.read_text()


def test_why_says_which_links_make_two_identifiers_one_person_or_that_none_do(made: Made, tmp_path: Path) -> None:
    drawn = tmp_path / "why.svg"
    same = _kairos(made.data, "why", "email:Ann@Brand.co", "crm_id:170", "--graph", str(drawn))
    other = _kairos(made.data, "why", "crm_id:171", "crm_id:170", "--json")

    assert same.stdout.startswith("Same person: email:ann@brand.co and crm_id:170 are c")
    assert "3 interactions: m0-2 (shop" in same.stdout
    assert "m0-4" in drawn.read_text()
    answer = json.loads(other.stdout)
    assert (other.returncode, answer["same"], answer["keptApartBy"], answer["chain"]) == (0, False, "never_seen_together", [])


def test_why_of_one_never_seen_is_a_failure_that_says_which(made: Made) -> None:
    result = _kairos(made.data, "why", "crm_id:170", "crm_id:99")

    assert result.returncode == 1
    assert "crm_id:99 was never seen" in result.stderr


def test_nobody_is_a_failure_that_says_what_to_try(made: Made) -> None:
    result = _kairos(made.data, "who", "crm_id:99")

    assert result.returncode == 1
    assert "Nobody is known by crm_id:99" in result.stderr


def test_the_tail_shows_the_newest_lines(made: Made) -> None:
    told = _kairos(made.data, "tail", "stages", "-n", "3").stdout.splitlines()
    values = _kairos(made.data, "tail", "stages", "--from-beginning", "--json").stdout.splitlines()

    assert len(told) == 3
    assert all("→" in line for line in told)
    assert sorted(values) == sorted((made.out / "stages.jsonl").read_text().splitlines())


def test_topics_are_described(made: Made) -> None:
    described = json.loads(_kairos(made.data, "topics", "describe", "--json").stdout)

    assert (described["bootstrap"], described["missing"]) == (made.bootstrap, [])
    assert {topic["partitions"] for topic in described["topics"]} == {2}


def test_a_run_refuses_topics_that_hold_records(made: Made, tmp_path: Path) -> None:
    words = ("--source", str(_source(tmp_path / "orders.jsonl")), "--reader", "jsonl", "--broker", made.bootstrap, "--partitions", "2")

    result = _kairos(tmp_path, "run", *words)

    assert result.returncode == 1
    assert f"kairos topics delete --broker {made.bootstrap}" in result.stderr
    assert session.recall(tmp_path) is None


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    shop = Path("data/online-retail.csv.gz").absolute()
    command = [sys.executable, "-m", "streams.cli", "run", "--source", str(shop), "--reader", "online-retail", "--plain"]
    with (tmp_path / "told").open("w") as told:
        run = subprocess.Popen(
            command,
            env=_environment(tmp_path / "data"),
            stdout=told,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # A shell ignores it for what it runs in the background.
        )
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while "playing" not in (tmp_path / "told").read_text() and time.monotonic() < deadline:
        assert run.poll() is None, (tmp_path / "told").read_text()
        time.sleep(0.1)

    run.send_signal(signal.SIGINT)

    assert run.wait(STOP_SECONDS_MAX) == 130
    assert "Stopped: broker, workers and player are gone." in (tmp_path / "told").read_text()
    assert _left(tmp_path / "data") == []
