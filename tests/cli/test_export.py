"""An export appears whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from streams.cli import export


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_an_export_is_one_wire_value_a_line(tmp_path: Path) -> None:
    with export.whole(tmp_path / "out") as writer:
        writer.keep("stages", b'{"id":"a"}')
        writer.keep("stages", b'{"id":"b"}')
        writer.summarise({"read": 2})

    files = _files(tmp_path / "out")
    assert set(files) == export.FILES
    assert files["stages.jsonl"] == b'{"id":"a"}\n{"id":"b"}\n'
    assert files["profiles.jsonl"] == b""
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), export.whole(tmp_path / "out") as writer:
        writer.keep("stages", b"{}")
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_earlier_one(tmp_path: Path) -> None:
    with export.whole(tmp_path / "out") as writer:
        writer.keep("stages", b"earlier")
    before = _files(tmp_path / "out")

    with pytest.raises(RuntimeError), export.whole(tmp_path / "out") as writer:
        writer.keep("stages", b"later")
        raise RuntimeError

    assert _files(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_replaces_an_earlier_one_wholly(tmp_path: Path) -> None:
    for value in (b"earlier", b"later"):
        with export.whole(tmp_path / "out") as writer:
            writer.keep("dead", value)

    assert _files(tmp_path / "out")["dead.jsonl"] == b"later\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _killed() -> int:
    """The number of a program that is gone."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


def test_what_a_killed_program_left_is_cleared_away_and_what_another_still_writes_is_not(tmp_path: Path) -> None:
    left, running = tmp_path / f".out.{_killed()}.draft", tmp_path / f".out.{os.getppid()}.draft"
    others = tmp_path / f".other.{_killed()}.draft"
    for directory in (left, running, others):
        directory.mkdir()
        (directory / "stages.jsonl").write_bytes(b"{}\n")

    with export.whole(tmp_path / "out"):
        pass

    assert {path.name for path in tmp_path.iterdir()} == {"out", running.name, others.name}


@pytest.mark.parametrize("stands", [False, True], ids=["before the new one took its place", "after it"])
def test_an_export_that_had_stepped_aside_for_a_killed_program_comes_back(tmp_path: Path, stands: bool) -> None:
    with export.whole(tmp_path / "out") as writer:
        writer.keep("stages", b"earlier")
    (tmp_path / "out").rename(tmp_path / f".out.{_killed()}.old")
    if stands:
        with export.whole(tmp_path / "new") as writer:
            writer.keep("stages", b"newer")
        (tmp_path / "new").rename(tmp_path / "out")

    with pytest.raises(RuntimeError), export.whole(tmp_path / "out"):
        raise RuntimeError

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert _files(tmp_path / "out")["stages.jsonl"] == (b"newer\n" if stands else b"earlier\n")


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(click.UsageError, match=r"thesis\.txt"):
        export.check(tmp_path)


def test_an_earlier_export_is_not_refused(tmp_path: Path) -> None:
    with export.whole(tmp_path / "out"):
        pass

    export.check(tmp_path / "out")
