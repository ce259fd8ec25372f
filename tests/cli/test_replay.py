"""`kairos replay` says what is wrong with a call before anything is asked of Kafka, and reads its record back in words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs
from rich.console import Console

from streams.cli import feeding, main, replays
from streams.replay import archive
from streams.replay.archive import Note, Promoted, Ran
from streams.replay.plan import Plan, Scope, Versions
from streams.replay.repair import Repair
from streams.replay.run import Fed

LIVE = Versions(journeys=("retail",), rules={"journey retail": "a", "moment m": "b"}, policy="p")
MINE = Versions(journeys=("/x/my_rules.py",), rules={"journey retail": "a", "moment m": "c"}, policy="p")
SCOPE = Scope(arrived_from=1_767_225_600_000_000, offsets={1: (5, 8)}, sources=("shop",))
PLAN = Plan(
    name="try", app_id="kairos", cluster="c", partitions=2, clock="live", scope=SCOPE, repairs={"no_event": Repair(drop=("x",))},
    inputs={"journey.interactions.v1": [(0, 0), (5, 8)]}, letters=[], outputs={}, until=1_767_312_000_000_000, live=LIVE, shadow=MINE, policy=None,
    in_flight=3,
)  # fmt: skip
RAN = Ran(by="ben", at="2026-01-02T00:00:01Z", ended="2026-01-02T00:00:09Z", outcome="stopped")
NOTE = Note(plan=PLAN, by="ann", at="2026-01-02T00:00:00Z", why="a try", state="stopped", runs=[RAN], fed=2, counts={"fed": 2, "times": 0},
            repaired={"no_event": 4}, left={"cut_short": 1})  # fmt: skip


def _invoke(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["replay", *words], env={"KAIROS_DATA_DIR": str(data), "KAIROS_SECRET": "s"}, prog_name="kairos")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plan", "--only-dead-letters"), 2, "needs --dead-letters"),
        (("plan", "--offsets", "0:9-3"), 2, "write it as 0:1000-2000"),
        (("plan", "--offsets", "0:1-3", "--offsets", "0:5-7"), 2, "partition 0 is named twice"),
        (("plan", "--name", "Live"), 2, "'Live' is no name"),
        (("plan", "--occurred-from", "yesterday"), 2, "is no instant"),
        (("run", "--rate", "0"), 2, "--rate"),
        (("run",), 1, "There is no replay here"),
        (("diff", "none"), 1, "There is no replay named none"),
        (("promote", "none", "--yes"), 1, "There is no replay named none"),
        (("clean", "none", "--yes"), 1, "There is no replay named none"),
        (("status", "none"), 1, "There is no replay named none"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    result = _invoke(tmp_path, *words)

    assert result.exit_code == code
    assert said in " ".join(result.output.split())


def test_what_is_not_done_is_not_compared(tmp_path: Path) -> None:
    archive.save(tmp_path, NOTE)

    result = _invoke(tmp_path, "diff")

    assert result.exit_code == 1
    assert "Replay try is stopped" in result.output
    assert "kairos replay run try" in result.output


def test_only_what_a_shadow_has_taken_in_is_put_back(tmp_path: Path) -> None:
    archive.save(tmp_path, NOTE)
    archive.save(tmp_path, structs.replace(NOTE, plan=structs.replace(PLAN, name="rules", repairs={}), state="done"))

    stopped, without = (" ".join(_invoke(tmp_path, "promote", name, "--yes").output.split()) for name in ("try", "rules"))

    assert "Replay try is stopped: only what its shadow has taken in is put back" in stopped
    assert "Replay rules mends no dead letters" in without


def test_what_was_put_back_is_in_the_record(tmp_path: Path) -> None:
    done = structs.replace(NOTE, state="done")
    archive.save(tmp_path, done)
    before = _invoke(tmp_path, "status", "try").output
    archive.save(tmp_path, structs.replace(done, promoted=Promoted(by="cy", at="2026-01-03T00:00:00Z", count=4, refused={"no_event": 1})))

    after = " ".join(_invoke(tmp_path, "status", "try").output.split())

    assert "`kairos replay promote try` puts what is mended back" in before
    again = _invoke(tmp_path, "promote", "try", "--yes")
    assert (again.exit_code, "nothing is done twice" in again.output) == (0, True)
    assert "put back 4 interactions at 2026-01-03T00:00:00Z by cy; refused again: no event 1" in after
    assert "kairos replay promote" not in after


def test_all_replays_are_a_table_and_one_is_told_in_full(tmp_path: Path) -> None:
    assert "There is no replay here" in _invoke(tmp_path, "status").output
    archive.save(tmp_path, NOTE)

    table, whole = (" ".join(_invoke(tmp_path, *words).output.split()) for words in (("status",), ("status", "try")))

    assert "try stopped 2026-01-02 00:00 ann 2 of 3 1 a try" in table
    for said in (
        "try stopped planned 2026-01-02T00:00:00Z by ann: a try",
        "scope arrived from 2026-01-01T00:00:00Z; offsets 5-8 of partition 1; from shop",
        "rules my_rules.py: other than live: moment m",
        "policy the live one",
        "fed 2 of 3 offsets: fed 2",
        "mended no event 4; left: cut short 1",
        "in flight 3 records",
        "run 1 2026-01-02T00:00:01Z to 2026-01-02T00:00:09Z by ben: stopped",
        "kairos replay run try` goes on where it was",
    ):
        assert said in whole, said


def test_who_is_at_work_on_it_makes_it_running(tmp_path: Path) -> None:
    archive.save(tmp_path, NOTE)
    stream = io.StringIO()

    with archive.held(tmp_path, "try"):
        replays.show(Console(file=stream, width=200), NOTE, tmp_path)

    assert "try  running" in stream.getvalue()
    assert replays.state(NOTE, tmp_path) == "stopped"


def test_a_line_says_how_far_it_is_and_how_long_it_takes() -> None:
    assert feeding.line(Fed(6_000, 10_000, {}), 2_000, 2.0) == "fed 6,000 of 10,000 offsets (60%), 2,000 a second, 2 s left"
    assert feeding.line(Fed(0, 10_000, {}), 0, 2.0) == "fed 0 of 10,000 offsets (0%), 0 a second, no end in sight yet"
