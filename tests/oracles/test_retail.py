"""The oracle itself, on lives short enough to judge by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.oracles import retail
from tests.oracles.retail import Invoice, Life, days

START = datetime(2011, 1, 1, tzinfo=UTC)
UNTIL = START + days(1000)


def _life(*told: tuple[float, str, int], until: datetime = UNTIL) -> Life:
    """A life told as (day, message id, revenue); a negative revenue is a cancellation."""
    invoices = [Invoice("c", name, START + timedelta(days=day), revenue >= 0, Decimal(revenue)) for day, name, revenue in told]
    return retail.judge(sorted(invoices, key=lambda invoice: (invoice.time, invoice.id.encode())), until)


def _stages(life: Life) -> list[tuple[float, str]]:
    return [((change.time - START) / timedelta(days=1), change.target) for change in life.stage_changes]


def _moments(life: Life, name: str) -> list[tuple[float, tuple[str, ...]]]:
    return [((moment.time - START) / timedelta(days=1), moment.evidence) for moment in life.moments if moment.name == name]


def _segment(life: Life) -> list[tuple[float, bool]]:
    return [((change.time - START) / timedelta(days=1), change.entered) for change in life.segment_changes]


def test_a_first_cancellation_is_a_prospect_and_stays_one() -> None:
    life = _life((0, "a", -1), (5, "b", -1))

    assert _stages(life) == [(0, "prospect")]
    assert life.stage_changes[0].origin is None


def test_an_order_in_silence_is_first_then_at_risk_then_lapsed_then_won_back() -> None:
    life = _life((0, "a", 1), (400, "b", 1), (401, "c", 1), until=START + days(402))

    assert _stages(life) == [(0, "first_order"), (90, "at_risk"), (180, "lapsed"), (400, "won_back"), (401, "repeat")]
    assert [change.evidence for change in life.stage_changes] == ["a", "a", "a", "b", "c"]
    assert [change.kind for change in life.stage_changes] == ["event", "deadline", "deadline", "event", "event"]


def test_an_order_at_the_instant_of_a_deadline_comes_first() -> None:
    assert _stages(_life((0, "a", 1), (90, "b", 1), until=START + days(91))) == [(0, "first_order"), (90, "repeat")]


def test_a_cancellation_does_not_break_the_silence() -> None:
    assert (90, "at_risk") in _stages(_life((0, "a", 1), (89, "b", -1)))


def test_a_deadline_at_the_end_is_in_and_a_later_one_is_not() -> None:
    assert _stages(_life((0, "a", 1), until=START + days(90)))[-1] == (90, "at_risk")
    assert _stages(_life((0, "a", 1), until=START + days(90) - timedelta(microseconds=1))) == [(0, "first_order")]


@pytest.mark.parametrize(("first", "target"), [(0.0, None), (0.001, "loyal")])
def test_loyal_needs_five_within_a_left_open_window(first: float, target: str | None) -> None:
    life = _life((first, "a", 1), (45, "b", 1), (90, "c", 1), (135, "d", 1), (180, "e", 1), until=START + days(180))

    assert (life.stage == "loyal") == (target == "loyal")


def test_ties_are_told_apart_by_the_bytes_of_the_id() -> None:
    told = [(0, "é", 1), (0, "z", -1), (0, "B", 1)]

    assert [change.evidence for change in _life(*told).stage_changes][:2] == ["B", "é"]


def test_loyal_gone_quiet_once_per_silence() -> None:
    life = _life(*[(day, f"o{day}", 1) for day in (0, 1, 2, 3, 4, 48, 93)], until=START + days(300))

    assert _moments(life, "loyal_gone_quiet") == [(138, ("o93",))]  # 48 + 45 = 93: the order at that instant comes first.


@pytest.mark.parametrize(
    ("revenues", "fires"),
    [((10, 10, 10, 30), True), ((10, 10, 10, 29), False), ((10, 10, 30), False), ((0, 0, 0, 5), False), ((0, 0, 1, 1), True)],
)
def test_a_big_order_is_three_times_the_mean_of_three_earlier(revenues: tuple[int, ...], fires: bool) -> None:
    life = _life(*[(place, f"o{place}", revenue) for place, revenue in enumerate(revenues)])

    assert bool(_moments(life, "big_order")) == fires


def test_a_cancellation_fires_once_for_each_big_order_before_it() -> None:
    life = _life((0, "old", 1000), (1, "a", 1000), (2, "small", 999), (3, "b", 5000), (14, "x", -1), (15, "y", -1), (15, "z", 2000))

    assert _moments(life, "cancelled_after_big_spend") == [(14, ("a", "x")), (14, ("b", "x"))]  # Exactly 14 days are over.


def test_a_third_cancellation_is_each_rise_from_two_to_three() -> None:
    life = _life((0, "a", -1), (1, "b", -1), (2, "c", -1), (3, "d", -1), (61.5, "e", -1), (62, "f", -1), (63, "g", -1))

    # On day 61.5 c and d are still within, on day 62 only d and e.
    assert _moments(life, "third_cancellation") == [
        (2, ("a", "b", "c")),
        (61.5, ("c", "d", "e")),
        (62, ("d", "e", "f")),
        (63, ("e", "f", "g")),
    ]


def test_high_value_is_left_by_a_cancellation_and_by_time_alone() -> None:
    life = _life((0, "a", 4000), (1, "b", 1000), (2, "c", -1), (3, "d", 1))

    assert _segment(life) == [(1, True), (2, False), (3, True), (365, False)]


def test_what_ages_out_at_the_instant_of_an_invoice_is_out_before_it() -> None:
    assert _segment(_life((0, "a", 5000), (365, "b", 4999), until=START + days(365))) == [(0, True), (365, False)]
    assert _segment(_life((0, "a", 5000), (365, "b", 5000), until=START + days(365))) == [(0, True)]


def test_the_year_counts_as_it_is_known_to() -> None:
    figures = retail.figures(retail.answer())

    assert figures == {
        "people": 6743,
        "applied": 24561,
        "refused": 1339,
        "orders": 20725,
        "cancellations": 3836,
        "revenue of orders": Decimal("10655622.484"),
        "revenue of cancellations": Decimal("-896812.49"),
        "stages": {"at_risk": 1083, "first_order": 1231, "lapsed": 1971, "loyal": 687, "prospect": 215, "repeat": 962, "won_back": 594},
        "stage changes": {
            "at_risk": 4825, "first_order": 6528, "lapsed": 2407, "loyal": 834, "prospect": 360, "repeat": 2691, "won_back": 1771,
        },
        "stage changes in all": 19416,
        "moments": {"big_order": 259, "cancelled_after_big_spend": 357, "loyal_gone_quiet": 643, "third_cancellation": 286},
        "moments in all": 1545,
        "high_value entries": 343,
        "high_value exits": 36,
    }  # fmt: skip
