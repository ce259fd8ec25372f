"""A seed that breaks a law is made smaller and told as a story, and the command at its end does it again."""

import json
import shlex

import pytest
from click.testing import CliRunner, Result

from tests.simulation import mutations
from tests.simulation.__main__ import main
from tests.simulation.cut import Cut, applied, arguments, read
from tests.simulation.history import scenario
from tests.simulation.minimise import minimised, outcome

MISTAKE = "stale_row"


@pytest.fixture(scope="module")
def breaks() -> int:
    """A seed that the mistake breaks."""
    with mutations.applied(MISTAKE):
        return next(seed for seed in range(1, 100) if outcome(scenario(seed), Cut()).broken)


def told(*options: str) -> Result:
    return CliRunner().invoke(main, options, catch_exceptions=False)


def test_a_smaller_history_breaks_the_same_law(breaks: int) -> None:
    whole = scenario(breaks)
    with mutations.applied(MISTAKE):
        law = next(iter(outcome(whole, Cut()).broken))
        cut = minimised(whole, law, runs_max=400)

        assert law in outcome(whole, cut).broken
    assert len(applied(whole, cut).entries) < min(12, len(whole.entries))
    assert law not in outcome(whole, cut).broken


@pytest.mark.parametrize(
    "cut",
    [
        Cut(),
        Cut((), (), ()),
        Cut((0, 1, 2, 7), ((1, 0), (7, 2)), (4, 5, 19), (("guarantee", "at_least_once"), ("partitions", 2)), 3),
    ],
)
def test_the_command_line_says_a_cut_and_reads_it(cut: Cut) -> None:
    words = shlex.split(arguments(17, cut))
    said = dict(zip(words[::2], words[1::2], strict=True))

    assert said["--seed"] == "17"
    assert read(said.get("--keep"), said.get("--without"), said.get("--faults"), said.get("--set"), int(said.get("--schedule", "0"))) == cut


def test_what_a_story_ends_with_does_it_again(breaks: int) -> None:
    first = told("--seed", str(breaks), "--mutation", MISTAKE)
    lines = first.output.splitlines()
    again = shlex.split(lines[-1].removeprefix("Again: python -m tests.simulation "))

    assert first.exit_code == 1
    assert lines[-1].startswith("Again: ") and any(line.startswith("Broken: ") for line in lines)
    assert told(*again).output == first.output


def test_a_range_says_what_happened_and_whether_all_holds() -> None:
    said = told("--seeds", "1-3")
    values = json.loads(told("--seeds", "1-3", "--json").output)

    assert said.exit_code == 0 and "every law holds" in said.output
    assert (values["seeds"], values["broken"]) == (3, [])
    assert values["happened"]["batches"] > 100


def test_a_range_that_breaks_a_law_ends_with_one_and_the_command(breaks: int) -> None:
    said = told("--seeds", str(breaks), "--mutation", MISTAKE, "--no-minimise", "--json")
    (broken,) = json.loads(said.output)["broken"]

    assert said.exit_code == 1
    assert broken["again"] == f"python -m tests.simulation --seed {breaks} --mutation {MISTAKE}"
