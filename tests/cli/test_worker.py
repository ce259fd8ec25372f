"""`kairos worker` as whoever starts it sees it: a line when it is ready, a line when it ends, and no traceback for what was to be expected."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams import instants, worker
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import main
from streams.cli.topics import declared
from streams.engine import Engine, EngineError, EngineSettings
from streams.settings import Settings

PARTITIONS = 2
READY_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = worker.GONE_SECONDS_MAX + 10
"""The process has to end as well, on a busy machine."""


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path / "broker") as started:
        admin.create_topics(started.bootstrap, declared(PARTITIONS))
        yield started


def _start(data: Path, bootstrap: str, partitions: int, *more: str) -> subprocess.Popen[str]:
    words = ["worker", "--broker", bootstrap, "--partitions", str(partitions), *more]
    environment = os.environ | {"KAIROS_DATA_DIR": str(data), "KAIROS_SECRET": "a secret of the tests"}
    return subprocess.Popen([sys.executable, "-m", "streams.cli", *words], env=environment, stderr=subprocess.PIPE, text=True)


def _ready(started: subprocess.Popen[str]) -> str:
    """Its first line; what comes before it is ready would be one too many."""
    assert started.stderr is not None
    return started.stderr.readline().strip()


def test_a_worker_says_what_is_wrong_when_it_is_ready_and_how_it_ended(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    _, told = (refused := _start(tmp_path, kafka.bootstrap, 3)).communicate(timeout=READY_SECONDS_MAX)
    assert (refused.returncode, len(told.splitlines())) == (1, 1)
    assert "have 2 partitions, not 3: give it --partitions 2" in told

    stopped = _start(tmp_path, kafka.bootstrap, PARTITIONS)
    assert _ready(stopped) == f"ready: 2 of 2 partitions, group kairos, broker {kafka.bootstrap}"
    stopped.send_signal(signal.SIGTERM)
    _, told = stopped.communicate(timeout=READY_SECONDS_MAX)
    assert (stopped.returncode, told) == (0, "stopped: all that was begun is committed\n")

    watched = _start(tmp_path, kafka.bootstrap, PARTITIONS, "--metrics-port", "0")
    page = _ready(watched).removeprefix("metrics ").removesuffix("/metrics")
    _ready(watched)
    assert (_status(f"{page}/healthz"), _status(f"{page}/readyz"), _status(f"{page}/else")) == (200, 200, 404)

    left = _start(tmp_path, kafka.bootstrap, PARTITIONS)
    _ready(left)
    kafka.stop()
    began = time.monotonic()
    left.send_signal(signal.SIGTERM)
    _, told = left.communicate(timeout=READY_SECONDS_MAX)
    assert time.monotonic() - began < STOP_SECONDS_MAX
    assert (left.returncode, "Traceback" in told) == (1, False)
    assert told.splitlines()[-1].startswith(f"Error: Stopped, but no Kafka answers at {kafka.bootstrap}")

    _await_status(f"{page}/readyz", 503)
    assert _status(f"{page}/healthz") == 200, "a new process would not find a Kafka either"
    watched.send_signal(signal.SIGTERM)
    watched.communicate(timeout=READY_SECONDS_MAX)


def test_who_stops_quickly_without_a_kafka_says_so_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    class Quick(Engine):
        async def start(self) -> None:
            await asyncio.sleep(READY_SECONDS_MAX)

        async def stop(self) -> bool:
            return True

    settings = Settings(bootstrap="127.0.0.1:9")
    engine = Quick(EngineSettings(app_id="a", bootstrap=settings.bootstrap, state_dir=Path("nowhere")))
    voice = worker.Voice()
    monkeypatch.setattr(worker.leaving, "hear", lambda told, *_: told())

    with worker._Limit(voice) as limit, pytest.raises(worker.WorkerEnded, match="no Kafka answers"):
        asyncio.run(worker._live(engine, settings, voice, worker._Quiet(), limit))


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def _await_status(url: str, status: int) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while _status(url) != status:
        assert time.monotonic() < deadline, f"{url} is not {status}"
        time.sleep(0.2)


@pytest.mark.parametrize(("alive", "ready"), [(True, True), (True, False), (False, True)])
def test_who_is_stuck_is_not_alive_and_who_waits_for_kafka_is_not_ready(alive: bool, ready: bool) -> None:
    engine = Engine(EngineSettings(app_id="a", bootstrap="127.0.0.1:9", state_dir=Path("nowhere")))
    engine.alive, engine.ready = lambda: alive, lambda: ready  # type: ignore[method-assign]  # as if it had run
    said: list[str] = []

    bodies = [
        json.loads(b"".join(worker._pages(engine)({"PATH_INFO": path}, lambda status, _: said.append(status))))
        for path in ("/healthz", "/readyz", "/health")
    ]

    assert [status[:3] == "200" for status in said] == [alive, ready, alive]
    assert [set(body) for body in bodies[:2]] == [{"status"} if holds else {"code", "message"} for holds in (alive, ready)]
    assert (bodies[2]["live"], bodies[2]["ready"]) == (alive, ready)


def test_with_json_every_line_is_json(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    _, told = (refused := _start(tmp_path, kafka.bootstrap, 3, "--json")).communicate(timeout=READY_SECONDS_MAX)
    (error,) = map(json.loads, told.splitlines())
    assert (refused.returncode, error["kind"], error["exitCode"]) == (1, "error", 1)
    assert "have 2 partitions, not 3" in error["text"]

    stopped = _start(tmp_path, kafka.bootstrap, PARTITIONS, "--json", "--metrics-port", "0")
    metrics, ready = json.loads(_ready(stopped)), json.loads(_ready(stopped))
    stopped.send_signal(signal.SIGTERM)
    _, told = stopped.communicate(timeout=READY_SECONDS_MAX)
    (ended,) = map(json.loads, told.splitlines())
    assert metrics["text"].endswith(f":{metrics['port']}/metrics")
    assert instants.parse(ready.pop("at")) is not None
    assert ready == {
        "kind": "ready",
        "text": f"2 of 2 partitions, group kairos, broker {kafka.bootstrap}",
        "partitions": 2,
        "of": 2,
        "group": "kairos",
        "broker": kafka.bootstrap,
    }
    assert (stopped.returncode, ended["kind"], ended["text"]) == (0, "stopped", "all that was begun is committed")


def test_with_json_a_wrong_setting_is_told_as_json_too() -> None:
    result = CliRunner().invoke(main, ["worker", "--json", "--partitions", "-1", "--broker", "127.0.0.1:9"], prog_name="kairos")

    told = json.loads(result.stderr)
    assert (result.exit_code, told["kind"], told["exitCode"]) == (2, "error", 2)
    assert told["text"].startswith("KAIROS_PARTITIONS=-1: ")


def test_with_json_the_log_is_json_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("unknown")
    except KeyError as error:
        record = logging.LogRecord("streams.engine", logging.ERROR, "", 0, "cannot %s", ("go on",), (KeyError, error, error.__traceback__))
    worker._Spoken(worker.Voice(as_json=True)).handle(record)

    told = json.loads(capsys.readouterr().err)

    assert (told["kind"], told["level"], told["logger"]) == ("log", "ERROR", "streams.engine")
    assert told["text"].startswith("cannot go on\nTraceback")


def test_the_clients_search_at_the_start_is_no_news_and_later_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    quiet = worker._Quiet()
    lost = logging.LogRecord("aiokafka.consumer", logging.ERROR, "", 0, "no coordinator", (), None)

    assert not quiet.filter(lost)
    quiet.is_starting = False
    assert quiet.filter(lost)
    quiet.begin_stop()
    assert not quiet.filter(lost)


def test_a_reason_told_in_words_leaves_no_traceback_and_another_does() -> None:
    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("streams.engine", logging.ERROR, "", 0, "cannot go on", (), (type(error), error, None))

    assert not worker._Quiet().filter(record(EngineError("told")))
    assert worker._Quiet().filter(record(KeyError("unknown")))


def test_a_port_that_is_taken_is_named(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = _start(tmp_path / "data", kafka.bootstrap, PARTITIONS, "--metrics-port", str(port))
        _, said = process.communicate(timeout=READY_SECONDS_MAX)

    assert process.returncode == 1
    assert f"127.0.0.1:{port} (KAIROS_METRICS_PORT" in said.splitlines()[-1]


def test_a_file_of_settings_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["digest"], env={"KAIROS_SETTINGS": str(tmp_path / "none.toml")})

    assert result.exit_code == 2
    assert "none.toml, and there is no such file" in result.stderr
