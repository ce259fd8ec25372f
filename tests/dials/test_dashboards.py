"""A dashboard explains itself: what each panel shows, in which unit, from which source."""

from __future__ import annotations

import json

import pytest

from deploy.generated import BOARDS
from deploy.grafana import building, loading
from tests.dials import rules
from tests.house.source import TOP

PANELS = list(loading.panels())


def test_there_is_a_dashboard_for_each_part() -> None:
    titles = {json.loads(building.document(board))["title"] for board in BOARDS}

    assert titles == {f"Kairos: {part}" for part in ("Flow", "Customers and journeys", "Moments and deliveries", "Identity", "Engine")}
    assert {path.stem for path in loading.DIRECTORY.glob("*.json")} == {board.name for board in BOARDS}


@pytest.mark.parametrize("shown", PANELS, ids=lambda shown: f"{shown.board}-{shown.panel['id']}")
def test_every_panel_has_a_unit_a_sentence_and_a_query(shown: loading.Shown) -> None:
    panel = shown.panel

    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["title"] and panel["description"].endswith(".")
    assert len(panel["description"]) > 20
    assert panel["description"].rstrip(".") != panel["title"]
    assert shown.queries and all(query for query, _ in shown.queries)


def test_panels_have_names_and_numbers_of_their_own_and_stay_on_the_page() -> None:
    for path in loading.DIRECTORY.glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len({panel["title"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for panel in panels
            for at in [panel["gridPos"]]
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert len(cells) == len(set(cells)), "none lies over another"
        assert max(x for x, _ in cells) < building.WIDTH


def test_panels_ask_the_source_that_is_provisioned() -> None:
    (source,) = rules.read(TOP / "deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]

    assert {(shown.panel["datasource"]["uid"], shown.panel["datasource"]["type"]) for shown in PANELS} == {(source["uid"], source["type"])}
    assert {target["datasource"]["uid"] for shown in PANELS for target in shown.panel["targets"]} == {source["uid"]}
