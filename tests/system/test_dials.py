"""On a live Kairos under load every query of every dashboard and every alert is answered with data, and its pages of metrics are well-formed.

What was asked is drawn to build/dials/, a picture a dashboard, to be looked at.
"""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request

import pytest

from deploy.grafana import loading
from deploy.grafana.shapes import WINDOW
from tests.dials import rules
from tests.house.source import TOP
from tests.system import pictures
from tests.system.asked import Prometheus
from tests.system.conftest import Running
from tests.system.load import Load

pytestmark = pytest.mark.system

SECONDS_MAX = 150.0
"""From the first question on, for all of them together."""
RATE_WINDOW = "30s"
"""What Grafana makes of $__rate_interval at this rate of scrapes is 20 s or more."""
LOOK_SECONDS = 3.0
SELECTOR = re.compile(r"(?:kairos_[a-z0-9_]+|kairos:[a-z0-9_:]+|up)(?:\{[^}]*\})?")


def await_all(ask: dict[str, str], prometheus: Prometheus) -> list[str]:
    """Those of the queries (by name) that have no answer after all; as soon as all have one, none."""
    waiting = dict(ask)
    while waiting := {name: query for name, query in waiting.items() if not prometheus.now(query)}:
        if time.monotonic() > prometheus.began + SECONDS_MAX:
            break
        time.sleep(LOOK_SECONDS)
    return [f"{name}: {query}" for name, query in waiting.items()]


@pytest.fixture(scope="session")
def prometheus(stack: Running, load: Load) -> Prometheus:
    return Prometheus(stack.addresses["prometheus"])


def test_every_query_of_every_panel_is_answered_with_data(prometheus: Prometheus) -> None:
    asked = {
        f"{shown.board} {shown.panel['title']} {legend}": query.replace(WINDOW, RATE_WINDOW)
        for shown in loading.panels()
        for query, legend in shown.queries
    }

    assert await_all(asked, prometheus) == []


def test_every_series_that_an_alert_looks_at_is_there(prometheus: Prometheus) -> None:
    asked = {f"{rule.get('alert') or rule['record']} {found}": found for rule in rules.rules() for found in SELECTOR.findall(rule["expr"])}

    assert await_all(asked, prometheus) == []


def test_what_is_drawn_has_lines_with_names(prometheus: Prometheus) -> None:
    def ask(query: str) -> list[pictures.Line]:
        return [(one.labels, one.times, one.values) for one in prometheus.lately(query.replace(WINDOW, RATE_WINDOW), 180, 3)]

    drawn = pictures.draw(list(loading.panels()), ask, TOP / "build/dials")

    assert {path.stem for path in drawn} == {path.stem for path in loading.DIRECTORY.glob("*.json")}


@pytest.mark.parametrize("process", ["worker-1", "worker-2", "collector", "deliver"])
def test_a_page_of_metrics_has_nothing_that_promtool_would_change(process: str, stack: Running, load: Load) -> None:
    with urllib.request.urlopen(f"{stack.addresses[process]}/metrics", timeout=120) as page:
        text: bytes = page.read()

    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)

    said = [line for line in (done.stdout + done.stderr).decode().splitlines() if line.startswith("kairos_")]
    assert said == []


def test_nothing_is_said_to_be_down_or_stuck_while_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.now('ALERTS{alertstate="firing", alertname=~"KairosDown|KairosPartitionStuck|KairosPartitionsUnowned"}') == []
