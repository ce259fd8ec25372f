"""The summary reconciles, or says in red what does not."""

from __future__ import annotations

import pytest
from rich.console import Console

from connectors.producer import Played
from streams.cli import summary
from streams.cli.facts import Facts
from streams.cli.job import Outcome
from streams.cli.session import Run


def _outcome(sent: int = 25_900, **facts: int) -> Outcome:
    run = Run(id="r", directory="/d", broker="embedded", app_id="kairos-r", partitions=4, journeys=("retail",))
    counted = Facts(**({"read": 25_900, "applied": 24_561, "dead": 1_339} | facts), digest="ab")
    counted.stages = {"retail": {"loyal": 736, "lapsed": 693}}
    counted.moments = {"big_order": {"expired": 150, "fired": 109}}
    return Outcome(run, Played(sent, 0, {}, 1, None, 0, 1.0), counted, 10.0, "crm_id:17850")


def _shown(outcome: Outcome, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        summary.show(console, outcome, "online-retail", None)
    return capture.get()


def test_the_shop_reconciles() -> None:
    shown = _shown(_outcome())

    assert "25,900 invoices = 24,561 applied + 1,339 dead\n" in shown
    assert "reconcile" not in shown


def test_duplicates_are_in_the_equation() -> None:
    assert "25,905 invoices = 24,561 applied + 5 duplicates + 1,339 dead\n" in _shown(_outcome(25_905, read=25_905, duplicates=5))


def test_a_lost_interaction_is_said_and_red() -> None:
    outcome = _outcome(applied=24_560)

    assert "This does not reconcile: read 25,900, but applied 24,560 + duplicate 0 + dead 1,339 = 25,899." in _shown(outcome)
    assert "red" in str(summary.equation(outcome, "invoices").spans)
    assert summary.value(outcome)["reconciles"] is False


def test_a_record_that_never_arrived_is_said() -> None:
    assert summary.mismatch(_outcome(sent=25_901)) == "the player sent 25,901 records, the topic holds 25,900"


def test_the_summary_names_stages_moments_and_what_to_type_next() -> None:
    shown = _shown(_outcome())

    for words in ("loyal 736", "lapsed 693", "expired 150", "fired 109", "tail moments", "who crm_id:17850", "digest"):
        assert words in shown


def test_refunds_are_told_by_number_and_amount_where_there_are_any() -> None:
    outcome = _outcome(orders=5, refunds=2)
    outcome.facts.revenue, outcome.facts.cancelled = {"EUR": "7", "GBP": "1234.5"}, {"EUR": "0", "GBP": "0"}
    outcome.facts.refunded = {"EUR": "0", "GBP": "12.25"}

    shown = _shown(outcome)

    assert "refunds 2" in shown
    assert "1,234.50 ordered, 0.00 cancelled, 12.25 refunded\n" in shown
    assert "7.00 ordered, 0.00 cancelled\n" in shown


def test_no_line_is_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "command", lambda: "kairos")  # What is to be typed is never broken, and may be long.
    outcome = _outcome(retractions=5)
    outcome.facts.stage_changes = {"brand": dict.fromkeys(("advocate", "customer", "detractor", "lead", "visitor"), 12345)}

    for width in (60, 80, 120):
        shown = _shown(outcome, width).splitlines()

        assert max(map(len, shown)) <= width
        assert any("a customer with many moments: profile and timeline" in line for line in shown)


def test_a_machine_gets_every_count_and_no_identifier() -> None:
    value = summary.value(_outcome())

    assert (value["read"], value["applied"], value["dead"], value["perSecond"], value["digest"]) == (25_900, 24_561, 1_339, 2_590, "ab")
    assert "17850" not in str(value)


def test_merges_and_the_ids_they_ended_are_not_taken_for_one_another() -> None:
    assert "merges 338  ids that became another's 574" in _shown(_outcome(merges=338, merged=574))


def test_the_erased_are_in_the_equation_where_there_are_any() -> None:
    assert "25,900 invoices = 24,551 applied + 1,339 dead + 10 erased\n" in _shown(_outcome(applied=24_551, erased=10))
    equation = "25,900 invoices = 24,551 applied + 1,339 dead + 7 erased + 3 after an erasure\n"
    assert equation in _shown(_outcome(applied=24_551, erased=7, after_erasure=3))
    wrong = "read 25,900, but applied 24,551 + duplicate 0 + dead 1,339 + after an erasure 3 = 25,893."
    assert wrong in _shown(_outcome(applied=24_551, after_erasure=3))
