"""What is checked in says the same as the code that makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy import generated
from streams.engine.metrics import METRICS
from tests.house.source import TOP

DOCUMENTS = generated.documents()


@pytest.mark.parametrize("path", sorted(DOCUMENTS))
def test_what_is_checked_in_is_what_the_code_says(path: str) -> None:
    assert (TOP / path).read_text(encoding="utf-8") == DOCUMENTS[path], "stale: run `python -m deploy`"


def test_the_page_of_the_engine_names_each_of_its_metrics() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", DOCUMENTS["docs/engine-metrics.md"], re.MULTILINE)

    assert named == [metric.shown for metric in METRICS]


def test_writing_gives_the_same_files_elsewhere(tmp_path: Path) -> None:
    written = generated.write(tmp_path)

    assert {str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8") for path in written} == DOCUMENTS
