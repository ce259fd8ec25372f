"""The table of faults tells what was lost, what came twice and how long nothing came; what failed is not shown as held."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.bench.engine import document
from tests.faults import ledger, report
from tests.faults.__main__ import added
from tests.faults.ledger import FAULTS, Entry, Made

SUMS = {b"a": (3, 6), b"b": (1, 1)}
OUTPUTS = Counter([b"one", b"two"])


def found(*entries: Entry, failed: tuple[str, ...] = ()) -> report.Found:
    return report.Found("a processor", 2, ["x.py::t"], list(failed), 1.0, 0.1, list(entries))


def entry(fault: str = "moment", **options: object) -> Entry:
    return Entry(
        **{
            "test": "tests/faults/x.py::t",
            "detail": "",
            "times": 1,
            "lost": 0,
            "twice": 0,
            "pause_seconds": None,
            "figures": {},
            **options,
            "fault": fault,
        }
    )  # type: ignore[arg-type]  # made of parts


def row(said: str, fault: str) -> list[str]:
    (line,) = [line for line in said.splitlines() if line.startswith(f"| {FAULTS[fault]} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("sums", "outputs", "expected"),
    [
        (SUMS, OUTPUTS, (0, 0)),
        ({b"a": (2, 4), b"b": (1, 1)}, OUTPUTS, (1, 0)),
        ({b"a": (3, 6)}, OUTPUTS, (1, 0)),
        ({**SUMS, b"b": (3, 3)}, OUTPUTS, (0, 2)),
        ({**SUMS, b"c": (1, 9)}, OUTPUTS, (0, 1)),
        (SUMS, Counter([b"one"]), (1, 0)),
        (SUMS, Counter([b"one", b"two", b"two"]), (0, 1)),
        ({b"a": (4, 9), b"b": (0, 0)}, Counter([b"one", b"one"]), (2, 2)),
    ],
)
def test_what_is_missing_is_lost_and_what_is_too_much_is_twice(
    sums: dict[bytes, tuple[int, int]], outputs: Counter[bytes], expected: tuple[int, int]
) -> None:
    assert ledger.lost_and_twice((sums, outputs), (SUMS, OUTPUTS)) == expected


def test_without_transactions_an_output_may_come_again_but_none_that_was_not_to_come() -> None:
    assert ledger.lost_and_twice((SUMS, Counter([b"one", b"two", b"two"])), (SUMS, OUTPUTS), outputs_once=False) == (0, 0)
    assert ledger.lost_and_twice((SUMS, Counter([b"one", b"two", b"three"])), (SUMS, OUTPUTS), outputs_once=False) == (0, 1)
    assert ledger.lost_and_twice((SUMS, Counter([b"one"])), (SUMS, OUTPUTS), outputs_once=False) == (1, 0)


def test_a_pause_begins_with_its_fault_and_ends_where_there_is_nothing_left_to_do() -> None:
    made = [Made("moment", "", 10.0), Made("moment", "", 30.0)]

    assert ledger.pause(made, [20.0, 40.0], [9.0, 12.5, 13.0, 19.0, 25.0, 31.0, 39.5, 70.0]) == 8.5
    assert ledger.pause(made[:1], [20.0], [25.0]) is None


def test_an_entry_is_kept_for_each_fault_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ledger.ENVIRONMENT, str(tmp_path / "ledger"))
    made = [Made("fail point", "after_begin", 1.0), Made("fail point", "after_begin", 2.0), Made("SIGTERM", "", 3.0)]

    ledger.keep(made, 0, 1, [9.0], [2.5, 4.0], {"SIGTERM": {"stop s": 0.5}})

    kept = [msgspec.json.decode(line, type=Entry) for line in (tmp_path / "ledger").read_bytes().splitlines()]
    assert [(each.fault, each.detail, each.times, each.twice, each.pause_seconds) for each in kept] == [
        ("fail point", "after_begin", 2, 1, 1.5),
        ("SIGTERM", "", 1, 1, 1.0),
    ]
    assert [each.figures for each in kept] == [{}, {"stop s": 0.5}]
    assert all("test_an_entry_is_kept" in each.test for each in kept)


def test_the_table_adds_up_and_says_what_was_not_run_and_what_failed() -> None:
    said = report.document_lines(
        found(
            entry("fail point", detail="a", times=10, pause_seconds=2.0),
            entry("fail point", detail="b", times=12, pause_seconds=3.26, lost=1, test="tests/faults/x.py::u"),
            entry("active", figures={"takeover s": 6.25}),
            entry("active", figures={"takeover s": 6.05}),
            failed=("x.py::u",),
        )
    )

    assert row(said, "fail point")[1:] == ["22, at 2 places at least 10 each", "1", "0", "3.3", "2", "FAILED: x.py::u"]
    assert row(said, "active")[1:] == ["2", "0", "0", "", "1", "takeover s 6.25"]
    assert row(said, "clock")[1:] == ["0", "", "", "", "", "not run"]
    assert "1 failed: x.py::u." in said


def test_runs_add_up_and_of_a_test_the_last_outcome_counts() -> None:
    failing = found(entry(), failed=("x.py::u", "x.py::v"))
    mended = msgspec.structs.replace(found(entry(times=2)), passed=["x.py::u"])

    both = added(failing, mended)

    assert (both.passed, both.failed) == (["x.py::t", "x.py::u"], ["x.py::v"])
    assert row(report.document_lines(both), "moment")[1] == "3"
    assert added(mended, failing).failed == ["x.py::u", "x.py::v"]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_table_is_made_by_a_test(fault: str) -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("*.py") if path.name not in ("ledger.py", Path(__file__).name)]

    assert any(f'"{fault}"' in text for text in texts)


@pytest.mark.parametrize("page", ["docs/engine.md", "streams/engine/README.md"])
def test_the_tests_that_a_page_names_are_there(page: str) -> None:
    root = document.DOCS.parent
    text = (root / page).read_text().partition("## Faust's own tests")[0]
    files = list((root / "tests").rglob("test_*.py"))
    there = {path.stem for path in files} | {
        name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = re.findall(r"`(?:tests/\w+/)?(test_\w+)(\.\.\.)?(?:\.py)?`", text)

    assert len(named) > 15
    assert [name for name, goes_on in named if not any(each.startswith(name) if goes_on else each == name for each in there)] == []


def test_the_page_shows_the_faults_that_are_kept_beside_it() -> None:
    kept = msgspec.json.decode((document.DOCS / "faults.json").read_bytes(), type=report.Found)
    page = (document.DOCS / "engine.md").read_text()

    assert report.document_lines(kept) in page
    assert document.placed(page, report.document_lines(kept), report.BEGINS, report.ENDS) == page
