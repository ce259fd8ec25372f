"""An alert says how bad it is, what is wrong and where to read on; and it is shown to fire, and to keep quiet."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from typing import Any

import pytest

from tests.dials import rules
from tests.house.source import TOP

ALERTS = rules.alerts()
ASKED_FOR = {"KairosLag", "KairosCommitAge", "KairosDeadLetters", "KairosPartitionStuck", "KairosEndpointDisabled", "KairosProfilesLate"}


def test_there_is_an_alert_for_what_operators_asked_for() -> None:
    assert set(ALERTS) >= ASKED_FOR


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_which_page_to_read(name: str) -> None:
    rule = ALERTS[name]
    page = TOP / rule["annotations"]["runbook_url"]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    text = page.read_text(encoding="utf-8")
    assert name in text.splitlines()[0]
    assert "\n## Look\n" in text and "\n## Do\n" in text


def test_every_page_belongs_to_an_alert() -> None:
    assert {TOP / rule["annotations"]["runbook_url"] for rule in ALERTS.values()} == set((TOP / "docs/runbooks").iterdir())


def test_every_alert_is_tried_both_ways() -> None:
    tried: dict[str, set[bool]] = defaultdict(set)
    for one in rules.read(rules.TESTS)["tests"]:
        for case in one["alert_rule_test"]:
            tried[case["alertname"]].add(bool(case["exp_alerts"]))

    assert tried == {name: {True, False} for name in ALERTS}


@pytest.mark.system
@pytest.mark.parametrize(
    "words",
    [
        ["test", "rules", str(rules.TESTS)],
        ["check", "rules", str(rules.ALERTS)],
        ["check", "config", str(rules.ALERTS.with_name("prometheus.yml"))],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_prometheus_own_tool_agrees(words: list[str]) -> None:
    done: Any = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
