"""The collector's own description, put to the test: schemathesis asks for what it allows and for what it does not; no answer is a failure of the collector's,
every refusal says why in the one form, and no answer is one that the description does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from connectors.collector import mapping, openapi
from connectors.collector.config import Config
from streams.broker.embedded import EmbeddedBroker
from tests.connectors.collectors import SECONDS_MAX, CollectorRun

FEW, MANY = 5, 40
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
DESCRIBED = openapi.document(Config(bootstrap="", topic=""))
OPERATIONS = {each.ok().label: each.ok() for each in schemathesis.openapi.from_dict(DESCRIBED).get_all_operations()}
ASKED = [(label, mode) for label in OPERATIONS for mode in GenerationMode if mode is GenerationMode.POSITIVE or label.startswith("POST")]
"""What has no body can hardly be asked for wrongly."""
LIKE_OTHERS = tuple(f"POST /v1/{last}" for last in (*mapping.BATCH_PATHS[1:], *mapping.PATHS) if last != "track")
"""Paths that differ from one of the rest by no more than their name."""


@pytest.fixture(scope="module")
def collector(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorRun]:
    run = CollectorRun(broker, tmp_path_factory.mktemp("described"))
    yield run
    run.close()


def test_the_description_is_the_one_that_is_served(collector: CollectorRun) -> None:
    assert collector.request("GET", "/openapi.json").json() == DESCRIBED
    assert len(OPERATIONS) == len(DESCRIBED["paths"])


def whichever(asked: list[tuple[str, GenerationMode]]) -> pytest.MarkDecorator:
    """One test for each."""
    return pytest.mark.parametrize(("label", "mode"), asked, ids=[f"{mode.value} {label}" for label, mode in asked])


@whichever([(label, mode) for label, mode in ASKED if label not in LIKE_OTHERS])
def test_whatever_is_asked_is_answered_as_it_is_described(collector: CollectorRun, label: str, mode: GenerationMode) -> None:
    ask(collector, label, mode, FEW)


@pytest.mark.faults
@whichever(ASKED)
def test_every_path_is_asked_much_and_answers_as_it_is_described(collector: CollectorRun, label: str, mode: GenerationMode) -> None:
    ask(collector, label, mode, FEW if label in LIKE_OTHERS else MANY)


def ask(collector: CollectorRun, label: str, mode: GenerationMode, examples: int) -> None:
    """So many times, the same ones each time that the tests run."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode), named=st.booleans())
    def one(case: Any, named: bool) -> None:
        answer = case.call(
            base_url=f"http://127.0.0.1:{collector.port}", headers={"X-Write-Key": collector.key} if named else None, timeout=SECONDS_MAX
        )
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            told = answer.json()
            assert told.keys() == {"code", "message"} and all(told.values())
            assert (answer.status_code == 429) == ("Retry-After" in answer.headers)

    one()
