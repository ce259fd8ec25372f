"""A rule's version speaks for all that it looks at; a scope says what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import app
from streams.app import UnknownJourney
from streams.language import RulesRefused
from streams.replay import plan

RETAIL = Path("streams/journeys/retail.py")


def changed_by(tmp_path: Path, old: str, new: str) -> set[str]:
    """The rules of the shop that mean something else when its file is changed so."""
    text = RETAIL.read_text()
    assert text.count(old) == 1
    (tmp_path / "mine.py").write_text(text.replace(old, new))
    before, after = (plan.rule_versions(app.rules_of((name,))) for name in ("retail", str(tmp_path / "mine.py")))
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_a_file_of_the_same_rules_has_the_same_versions(tmp_path: Path) -> None:
    assert changed_by(tmp_path, "The web shop", "The same shop") == set()


def test_a_threshold_changes_its_rule_alone(tmp_path: Path) -> None:
    assert changed_by(tmp_path, ">= 5000,", ">= 4000,") == {"segment high_value"}


def test_a_journey_changes_what_looks_at_it(tmp_path: Path) -> None:
    assert changed_by(tmp_path, "silence(order, days(90))", "silence(order, days(60))") == {"journey retail", "moment loyal_gone_quiet"}


def test_rules_that_cannot_stand_and_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        'from streams.language import Moment, event\nm = Moment(name="m", when=event("Ordr Completed"), because="", expires=0, scope="x")\n'
    )

    with pytest.raises(RulesRefused):
        app.rules_of((str(tmp_path / "bad.py"),))
    with pytest.raises(UnknownJourney, match=r"nowhere\.py"):
        app.rules_of(("retail", "nowhere.py"))
