"""Each rule that ships has its story; a story holds in every order of its events (all orders up to 5 events, else 200 seeded ones)."""

import random
from itertools import chain, permutations
from math import factorial
from pathlib import Path

import pytest

from tests.stories import telling

HERE = Path(__file__).parent
STORIES = sorted(HERE.glob("*/*.txt"))
ORDERS_ALL_UP_TO = 5
ORDERS_SEEDED = 200


def _beside(said: list[str], expected: list[str]) -> str:
    width = max((len(line) for line in (*said, *expected)), default=0)
    rows = max(len(said), len(expected))
    pairs = zip(said + [""] * (rows - len(said)), expected + [""] * (rows - len(expected)), strict=True)
    return "\n".join(
        ["", f"{'said':{width}} | expected", *(f"{left:{width}} {' ' if left == right else '!'} {right}" for left, right in pairs)]
    )


def test_there_are_stories() -> None:
    assert len(STORIES) >= 12


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_story_is_told_as_written(path: Path, request: pytest.FixtureRequest) -> None:
    story = telling.read(path.read_text())
    said = telling.told(story)
    if request.config.getoption("--accept", default=False):
        path.write_text(telling.written(story, said))
        return

    expected = [step.expected for step in story.steps]
    assert said == expected, _beside([*chain(*said)], [*chain(*expected)])


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_story_ends_alike_in_every_order(path: Path) -> None:
    story = telling.read(path.read_text())
    touches = story.touches
    if len(touches) <= ORDERS_ALL_UP_TO:
        orders = [list(order) for order in permutations(touches)]
        assert len(orders) == factorial(len(touches))
    else:
        chance = random.Random(path.stem)
        orders = [chance.sample(touches, len(touches)) for _ in range(ORDERS_SEEDED)]
    stands, row, _ = telling.standing(story, touches)

    for order in orders:
        other, other_row, refolded = telling.standing(story, order)
        arrived = " ".join(touch.id for touch in order)
        assert other == stands, f"arriving as {arrived}:{_beside(sorted(other), sorted(stands))}"
        assert other_row == row == refolded, f"arriving as {arrived}, the state is another"
