"""Whoever asks Prometheus, on a dashboard or in an alert, asks for metrics that are in the tables, by labels that they have."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.grafana import loading
from schemas import metrics
from streams.engine.metrics import METRICS as ENGINE_METRICS
from tests.dials import rules

NAME = re.compile(r"\bkairos_[a-z0-9_]+")
BY = re.compile(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)")
MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!=|=)\s*\"")
OF_PROMETHEUS = {"le", "job", "instance"}


def named(metric: Any) -> dict[str, frozenset[str]]:
    """The names that a metric has in Prometheus, and its labels."""
    labels = frozenset(metric.labels)
    if metric.kind == "histogram":
        return {f"{metric.name}_{part}": labels for part in ("bucket", "count", "sum")}
    return {metric.shown: labels}


KNOWN = {name: labels for metric in (*metrics.BY_NAME.values(), *ENGINE_METRICS) for name, labels in named(metric).items()}
ASKED = [
    *[(f"{shown.board}: {shown.panel['title']}", query) for shown in loading.panels() for query, _ in shown.queries],
    *[(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules.rules()],
]


@pytest.mark.parametrize(("whose", "query"), ASKED, ids=[f"{whose}-{place}" for place, (whose, _) in enumerate(ASKED)])
def test_a_query_names_what_there_is(whose: str, query: str) -> None:
    names = set(NAME.findall(query))
    labels = {label for name in names for label in KNOWN[name]} | OF_PROMETHEUS

    assert names or "process_" in query or "up{" in query or "kairos:" in query
    assert {label.strip() for found in BY.findall(query) for label in found.split(",") if label.strip()} <= labels
    assert set(MATCHER.findall(query)) <= labels


def test_every_legend_names_labels_of_its_query() -> None:
    for shown in loading.panels():
        for query, legend in shown.queries:
            by = {label.strip() for found in BY.findall(query) for label in found.split(",")}
            assert set(re.findall(r"{{(\w+)}}", legend)) <= by, (shown.panel["title"], legend)
            assert legend, "every series has a name"


def test_no_label_names_a_person() -> None:
    assert not {label for labels in KNOWN.values() for label in labels} & {
        "customer",
        "user",
        "email",
        "phone",
        "subject",
        "identifier",
        "id",
    }


def test_every_recorded_series_is_used_and_every_used_one_recorded() -> None:
    recorded = {rule["record"] for rule in rules.rules() if "record" in rule}
    used = {name for _, query in ASKED for name in re.findall(r"kairos:[a-z0-9_:]+", query)}

    assert recorded == used
