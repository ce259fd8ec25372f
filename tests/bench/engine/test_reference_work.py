"""The benchmark of engines, without a broker: the work, its answer, what becomes of void runs, and that no peer gets into the product."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import orjson
import psutil
import pytest

from tests.bench.engine import document, measure, picture, report
from tests.bench.engine.load import Input, interactions
from tests.bench.engine.measure import Run
from tests.bench.engine.systems import HERE, LIMIT, OURS, OURS_TWICE, SYSTEMS
from tests.bench.engine.work import Answer, State, Sum, canonical, fold, output, pack, read, unpack
from tests.bench.latency import report as latency
from tests.bench.recovery import report as recovery
from tests.bench.scale import report as scale
from tests.house.source import sources

PEERS = {"quixstreams", "bytewax"}


def folded(count: int) -> State:
    """A customer's state after so many interactions."""
    state = None
    for _, value in interactions(count, 1):
        state = fold(state, read(value))
    assert state is not None
    return state


def test_an_interaction_has_about_400_bytes_and_so_has_a_state() -> None:
    sizes = [len(value) for _, value in interactions(1000, 100)]

    assert min(sizes) >= 350 and max(sizes) <= 450
    assert 350 <= len(pack(folded(200))) <= 600


def test_the_input_repeats_itself() -> None:
    assert list(interactions(500, 50)) == list(interactions(500, 50))


def test_fold_counts_by_channel_and_keeps_the_last_ten() -> None:
    state = folded(25)

    assert (state.n, sum(state.channels.values()), len(state.recent)) == (25, 25, 10)
    assert [one[0] for one in state.recent] == [f"m{number:08d}" for number in range(15, 25)]


def test_fold_leaves_the_state_before_as_it_was() -> None:
    before = folded(12)
    kept = pack(before)

    fold(before, read(next(interactions(1, 1))[1]))

    assert pack(before) == kept


def test_every_tenth_interaction_is_said() -> None:
    assert [count for count in range(1, 41) if output(folded(count)) is not None] == [10, 20, 30, 40]


def test_the_order_of_channels_in_the_bytes_does_not_matter() -> None:
    state = folded(30)
    turned = State(state.n, dict(reversed(state.channels.items())), state.last, state.first, state.recent)

    assert pack(state) != pack(turned)
    assert canonical(unpack(pack(state))) == canonical(turned)


def test_the_sum_ignores_order_and_notices_one_lost_doubled_or_changed() -> None:
    records = [(b"u%d" % number, b"%d" % number) for number in range(20)]

    whole = summed(records)

    assert summed(records[::-1]) == whole
    assert summed(records[1:]) != whole
    assert summed([*records, records[0]]) != whole
    assert summed([*records[1:], (b"u0", b"1")]) != whole


def summed(records: list[tuple[bytes, bytes]]) -> str:
    """The digest of records."""
    found = Sum()
    for key, value in records:
        found.add(key, value)
    return found.digest


def test_one_void_run_makes_the_row_void_and_a_peer_that_cannot_be_had_says_so(tmp_path: Path) -> None:
    given = Input("interactions", 100, 10, Answer(0, "", 0, ""))
    systems = [system for system in SYSTEMS if system.name in (OURS, LIMIT, "quix", "bytewax", "faust")]
    good, void = Run(100, 1.0, 100.0, 5.0, 1.0, 1 << 20), Run(100, void="3 outputs, 4 were to come")
    runs = {OURS: [good, good], LIMIT: [good, good], "quix": [good, void], "bytewax": [], "faust": []}

    figures = report.found(systems, runs, {}, {"bytewax": "no wheel"}, given, given)
    report.write(figures, tmp_path / "engine.json")
    picture.draw(tmp_path / "engine.json", tmp_path / "engine.svg")

    rows = {row["name"]: row for row in figures["rows"]}
    assert (rows["quix"]["void"], rows["bytewax"]["void"], rows[OURS]["void"]) == ("3 outputs, 4 were to come", "no wheel", None)
    assert rows["faust"]["void"] == "not measured"
    assert rows[LIMIT]["ratio"]["events_per_second"] == 1.0
    assert (tmp_path / "engine.svg").read_text().count("void: see the table") == 3


def test_the_figure_of_a_row_is_the_median() -> None:
    given = Input("interactions", 100, 10, Answer(0, "", 0, ""))
    ours = next(system for system in SYSTEMS if system.name == OURS)
    runs = [Run(100, 1.0, pace, 5.0, 1.0, 1) for pace in (90.0, 300.0, 100.0)]

    figures = report.found([ours], {OURS: runs}, {}, {}, given, given)

    assert figures["rows"][0]["events_per_second"] == 100.0


def test_rows_of_two_workers_are_compared_with_two_workers_of_this_engine() -> None:
    given = Input("interactions", 100, 10, Answer(0, "", 0, ""))
    systems = [system for system in SYSTEMS if system.name in (OURS, OURS_TWICE, "streams-exactly-once-large", "streams-exactly-once-two")]
    paces = {OURS: 100.0, OURS_TWICE: 180.0, "streams-exactly-once-large": 50.0, "streams-exactly-once-two": 60.0}
    runs = {name: [Run(100, 1.0, pace, 5.0, 1.0, 1)] for name, pace in paces.items()}

    figures = report.found(systems, runs, {}, {}, given, given)

    ratios = {row["name"]: row["ratio"]["events_per_second"] for row in figures["rows"]}
    assert ratios == {OURS: 1.0, OURS_TWICE: 1.0, "streams-exactly-once-large": 2.0, "streams-exactly-once-two": 3.0}


def test_a_system_of_two_processes_began_with_the_first_and_counts_both(tmp_path: Path) -> None:
    (tmp_path / "marks").write_text("began 12.5\nbegan 11.5\n")
    this = psutil.Process()

    one, two = measure._look([this], this), measure._look([this, this], this)

    assert measure._said(tmp_path / "marks") == {"began": 12.5}, "in the order in which they were written"
    assert two.memory >= 1.9 * one.memory and two.cpu >= 1.9 * one.cpu > 0


def test_no_peer_is_imported_by_the_product_and_every_package_of_theirs_is_pinned() -> None:
    imported = {name.split(".")[0] for source in sources() if not source.path.startswith("tests/") for _, name in source.imports()}
    pinned = [line for path in (HERE / "peers").glob("*.txt") for line in path.read_text().splitlines()]

    assert not imported & PEERS
    assert pinned and all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line) for line in pinned)


@pytest.mark.parametrize(("name", "bench"), [("latency", latency), ("recovery", recovery), ("scale", scale)])
def test_the_page_shows_the_figures_that_are_kept_beside_it(name: str, bench: Any) -> None:
    found = msgspec.json.decode((document.DOCS / f"{name}.json").read_bytes(), type=bench.Found)
    page = (document.DOCS / "engine.md").read_text()

    assert bench.document_lines(found) in page
    assert document.placed(page, bench.document_lines(found), *document.marks(name)) == page


def test_the_page_and_the_picture_show_the_figures_that_are_kept_beside_them() -> None:
    figures = orjson.loads((document.DOCS / "engine.json").read_bytes())
    page = (document.DOCS / "engine.md").read_text()

    assert document.placed(page, document.section(figures)) == page
    assert picture.svg(figures) == (document.DOCS / "engine.svg").read_text()
