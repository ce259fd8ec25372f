"""A guarantee that is asked for gets to the engine, by flag, environment and run."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import app
from streams.cli import job, options
from streams.cli.session import Run


@pytest.mark.parametrize(
    ("flags", "environment", "wanted"),
    [
        ({}, {}, "exactly_once"),
        ({}, {"KAIROS_GUARANTEE": "at_least_once"}, "at_least_once"),
        ({"guarantee": "exactly_once"}, {"KAIROS_GUARANTEE": "at_least_once"}, "exactly_once"),
        ({"guarantee": "at_least_once"}, {}, "at_least_once"),
    ],
)
def test_the_engine_gets_the_guarantee_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, str], environment: dict[str, str], wanted: str
) -> None:
    monkeypatch.delenv("KAIROS_GUARANTEE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = options.settings(data_dir=tmp_path, **flags)
    note = Run(id="1", directory=str(tmp_path), broker="embedded", app_id="a", partitions=4, journeys=("retail",))

    assert app.build(settings).settings.guarantee == wanted
    assert job._environment(settings, note)["KAIROS_GUARANTEE"] == wanted
