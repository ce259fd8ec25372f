"""An export appears whole or not at all."""

from __future__ import annotations

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


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(click.UsageError, match=r"thesis\.txt"):
        export.check(tmp_path)


def test_an_earlier_export_is_not_refused(tmp_path: Path) -> None:
    with export.whole(tmp_path / "out"):
        pass

    export.check(tmp_path / "out")
