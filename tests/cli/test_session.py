"""Which Kafka a command talks to: what is named, else what runs, else the last run's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from streams.cli import running, session
from streams.cli.options import Failure
from streams.cli.session import Run
from streams.settings import Settings

WAIT_SECONDS_MAX = 45.0
"""A machine that is busy with other tests included; alone it is 10, and a client that is not told when to give up takes minutes."""
RUN = Run(id="r1", directory="/nowhere/r1", broker="embedded", app_id="kairos-r1", partitions=4, journeys=("retail",))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    return Settings(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("flag", "environment", "set_bootstrap", "expected"),
    [
        ("auto", {}, None, None),
        ("auto", {}, "s:1", "s:1"),
        ("auto", {"KAFKA_BOOTSTRAP": "e:1"}, "s:1", "e:1"),
        ("f:1", {"KAFKA_BOOTSTRAP": "e:1"}, "s:1", "f:1"),
    ],
)
def test_the_flag_wins_over_the_environment_over_the_settings(
    flag: str, environment: dict[str, str], set_bootstrap: str | None, expected: str | None
) -> None:
    settings = Settings(bootstrap=set_bootstrap) if set_bootstrap else Settings()

    assert session.wanted(settings, flag, environment) == expected


def test_without_any_kafka_a_command_says_how_to_get_one(settings: Settings) -> None:
    with pytest.raises(Failure, match="kairos run"), session.connected(settings, "auto"):
        pass


def test_a_last_run_whose_data_is_gone_says_so(settings: Settings) -> None:
    session.remember(settings.data_dir, RUN)

    with pytest.raises(Failure, match="is gone"), session.connected(settings, "auto"):
        pass


def test_a_run_is_remembered_whole(tmp_path: Path) -> None:
    session.remember(tmp_path, RUN)

    assert session.recall(tmp_path) == RUN
    assert [path.name for path in tmp_path.iterdir()] == [session.LAST_RUN]


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / session.LAST_RUN).write_text("{")

    assert session.recall(tmp_path) is None


def test_a_running_kafka_is_found_by_its_directory(broker: EmbeddedBroker, tmp_path: Path) -> None:
    assert session.running(broker.data_directory) == broker.bootstrap
    assert session.running(tmp_path) is None


def test_a_cluster_of_the_last_run_keeps_its_name(broker: EmbeddedBroker, settings: Settings) -> None:
    session.remember(settings.data_dir, Run(**{name: getattr(RUN, name) for name in RUN.__struct_fields__} | {"broker": broker.bootstrap}))

    with session.connected(settings, broker.bootstrap) as kafka:
        assert kafka == session.Session(broker.bootstrap, "kairos-r1")
        assert kafka.changelog == "kairos-r1-customers-changelog"


def test_old_runs_are_cleared_but_the_last_and_the_newest(tmp_path: Path) -> None:
    names = [f"2026010{day}-000000-000" for day in range(1, 6)]
    for name in names:
        (tmp_path / "runs" / name).mkdir(parents=True)
    session.remember(
        tmp_path, Run(**{name: getattr(RUN, name) for name in RUN.__struct_fields__} | {"directory": str(tmp_path / "runs" / names[0])})
    )

    running.clear_old_runs(tmp_path, 2)

    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [names[0], names[3], names[4]]


def test_who_waits_for_a_kafka_says_for_which_and_not_for_long(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # takes connections, and never says a word
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    said = []
    for words in (("topics", "describe"), ("run", "--source", __file__, "--reader", "jsonl", "--plain")):
        environment = os.environ | {"KAIROS_DATA_DIR": str(tmp_path)}
        command = [sys.executable, "-m", "streams.cli", *words, "--broker", address]
        began = time.monotonic()
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert (result.returncode, time.monotonic() - began < WAIT_SECONDS_MAX) == (1, True)
        said.append((result.stdout + result.stderr).splitlines())
    listener.close()

    for lines in said:
        assert f"connecting to {address}" in lines[0]
        assert lines[1:] == [lines[-1]]
        assert lines[-1].startswith(f"Error: No Kafka answers at {address}")
