"""Settings from the environment reach the commands, and a wrong one is a sentence."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import main, running


@pytest.mark.parametrize("secret", ["", "x" * 65])
def test_a_secret_that_is_no_key_is_a_usage_error(secret: str, tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["worker", "--broker", "127.0.0.1:1"], env={"KAIROS_SECRET": secret, "KAIROS_DATA_DIR": str(tmp_path)})

    assert found.exit_code == 2
    assert "it must have 1 to 64 bytes" in found.output and "x" * 65 not in found.output


@pytest.mark.parametrize(
    ("said", "flags", "journeys"),
    [
        (None, (), ("brand",)),
        ("retail", (), ("retail",)),
        ("retail,brand", (), ("retail", "brand")),
        ("retail", ("--journeys", "brand"), ("brand",)),
    ],
)
def test_a_run_takes_its_journeys_from_flag_environment_or_reader(
    said: str | None, flags: tuple[str, ...], journeys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(running, "perform", lambda settings, *_, **__: taken.append(settings.journeys))
    source = tmp_path / "interactions.jsonl"
    source.touch()

    found = CliRunner().invoke(
        main, ["run", "--source", str(source), "--reader", "jsonl", *flags], env={"KAIROS_JOURNEYS": said, "KAIROS_DATA_DIR": str(tmp_path)}
    )

    assert (found.exit_code, taken) == (0, [journeys]), found.output


def test_a_file_that_was_not_copied_whole_is_told(tmp_path: Path) -> None:
    source = tmp_path / "interactions.jsonl.gz"
    source.write_bytes(gzip.compress(b'{"userId": "ann", "event": "Seen", "timestamp": "2026-01-01T09:00:00Z"}\n' * 1_000)[:-20])

    found = CliRunner().invoke(
        main, ["run", "--source", str(source), "--reader", "jsonl", "--broker", "mock"], env={"KAIROS_DATA_DIR": str(tmp_path / "data")}
    )

    assert found.exit_code == 1
    assert "A compressed file ends in its midst: was it copied whole?" in found.output
