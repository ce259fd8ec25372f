"""The live view fits the terminal it is on, and says the same in plain lines."""

from __future__ import annotations

import pytest
from rich.console import Console

from schemas import topics
from streams.cli import live
from streams.cli.observe import Seen
from streams.cli.view import Picture, sentence
from tests.cli import values


def _picture(news: int) -> Picture:
    seen = Seen()
    seen.applied, seen.dead = 15_102, 803
    seen.customers = {str(number).encode(): 1 for number in range(3_211)}
    seen.stages.update(first_order=3_020, repeat=2_210, loyal=220, at_risk=2_100, lapsed=900, won_back=400, prospect=120)
    seen.moments.update(big_order=330, cancelled_after_big_spend=120, third_cancellation=44)
    seen.newest_stages.extend(values.stage(to=f"stage_{number}") for number in range(news))
    seen.newest_moments.extend(values.moment(explanation={"text": f"Reason {number}, " + "at length " * 20}) for number in range(news))
    return Picture("playing", 72.3, 20_100, 25_900, {topics.INTERACTIONS: 1_203, topics.IDENTITY: 3_220}, 2_410.2, seen)


def _drawn(picture: Picture, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, color_system=None, highlight=False, force_terminal=True)
    with console.capture() as capture:
        console.print(live.screen(picture, "online-retail → retail", width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 14)])
@pytest.mark.parametrize("news", [0, 3, 60])
def test_a_screen_fits_its_terminal(width: int, height: int, news: int) -> None:
    drawn = _drawn(_picture(news), width, height)

    assert len(drawn) <= max(height - 1, live.FIXED_LINES + 2)
    assert max(map(len, drawn)) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_screen_shows_progress_counts_and_reasons(width: int, height: int) -> None:
    drawn = "\n".join(_drawn(_picture(60), width, height))

    for words in (
        "online-retail → retail",
        "1:12",
        "15,905 of 25,900",
        "61%",
        "2,410/s",
        "1,203",
        "first_order 3,020",
        "big_order 330",
        "Reason 59, at length",
    ):
        assert words in drawn
    assert "repeat → stage_59" in drawn


def test_the_newest_comes_first() -> None:
    drawn = "\n".join(_drawn(_picture(60), 80, 24))

    assert drawn.index("Reason 59") < drawn.index("Reason 58")


def test_a_picture_reads_as_one_plain_line() -> None:
    line = sentence(_picture(1))

    assert "sent 20,100 of 25,900, applied 15,102, dead 803" in line
    assert "lag 1,203 interactions + 3,220 identity" in line
    assert "\n" not in line
