"""A replay's record is whole, newest first, and its owner's alone while he is at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from streams.replay import archive
from streams.replay.archive import InUse, NoSuchReplay, Note
from streams.replay.plan import Plan, Scope, Versions

NOTHING = Versions(journeys=(), rules={}, policy="")
PLAN = Plan(
    name="one", app_id="kairos", cluster="c", partitions=2, clock="live", scope=Scope(offsets={0: (1, 2)}), repairs={}, letters=[],
    inputs={"t": [(0, 5), (2, 4)]}, outputs={"u": [7, 8]}, until=5, live=NOTHING, shadow=NOTHING, policy=None, in_flight=0,
)  # fmt: skip


def note(name: str, at: str) -> Note:
    """A record of a replay that nobody has run."""
    return Note(plan=structs.replace(PLAN, name=name), by="ann", at=at)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    archive.save(tmp_path, note("one", "2026-01-01T00:00:00Z"))

    found = archive.load(tmp_path, "one")

    assert found == note("one", "2026-01-01T00:00:00Z")
    assert (found.plan.offsets(), found.plan.compared()) == (7, {("u", 0): 7, ("u", 1): 8})


def test_without_a_name_the_newest_is_meant_and_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    for name, at in (("b", "2026-01-02T00:00:00Z"), ("c", "2026-01-03T00:00:00Z"), ("a", "2026-01-01T00:00:00Z")):
        archive.save(tmp_path, note(name, at))
    (archive.directory(tmp_path, "c") / archive.NOTE).write_text("{half")

    assert archive.load(tmp_path, None).plan.name == "b"
    with pytest.raises(NoSuchReplay, match="no replay named x; there are b, a"):
        archive.load(tmp_path, "x")
    with pytest.raises(NoSuchReplay, match="replay plan"):
        archive.load(tmp_path / "elsewhere", None)


def test_of_two_at_once_the_second_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    code = f"import sys; from pathlib import Path; from streams.replay import archive; w = archive.held(Path({str(tmp_path)!r}), 'one'); w.__enter__()"
    holder = subprocess.Popen([sys.executable, "-c", code + "; print(1, flush=True); sys.stdin.read()"], stdin=-1, stdout=-1)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"1\n"

    assert archive.is_running(tmp_path, "one")
    with pytest.raises(InUse), archive.held(tmp_path, "one"):
        pass

    holder.kill()
    holder.communicate()
    assert not archive.is_running(tmp_path, "one")
