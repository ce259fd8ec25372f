"""What version 1 has once written stays readable, and is written the same: tests/golden/v1 holds wire values that are never edited."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import jsonschema, record
from schemas.interaction import Interaction
from schemas.values import VALUES

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
FILES = sorted(GOLDEN.glob("*.json"))
SCHEMAS: Any = jsonschema.schemas()


def topic_of(path: Path) -> str:
    return path.name.rsplit(".", 2)[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_value_decodes_and_encodes_to_the_same_bytes(path: Path) -> None:
    written = path.read_bytes().rstrip(b"\n")

    assert record.encode(record.decode(VALUES[topic_of(path)], written)) == written


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_value_has_the_fields_of_its_schema(path: Path) -> None:
    fields = set(json.loads(path.read_bytes()))
    schema = SCHEMAS[topic_of(path)]

    assert set(schema.get("required", [])) <= fields <= set(schema["properties"])


def test_every_topic_has_golden_values() -> None:
    assert {topic_of(path) for path in FILES} == set(VALUES)


def test_every_field_of_a_topic_is_in_some_golden_value() -> None:
    for topic, schema in SCHEMAS.items():
        held = set().union(*(json.loads(path.read_bytes()) for path in FILES if topic_of(path) == topic))
        # A default is not written, so a track interaction does not say that it is one; the file of a group does.
        assert held == set(schema["properties"]), topic


def test_interaction_takes_an_amount_as_a_number_or_as_text() -> None:
    as_number = record.decode(Interaction, b'{"value":{"amount":139.120,"currency":"GBP"}}')
    as_text = record.decode(Interaction, b'{"value":{"amount":"139.120","currency":"GBP"}}')

    assert as_number == as_text
    assert as_number.value is not None
    assert str(as_number.value.amount) == "139.120"


def test_interaction_lets_fields_pass_that_it_does_not_know() -> None:
    read = record.decode(Interaction, b'{"userId":"42","integrations":{"All":true},"_metadata":{"nodeVersion":"22"}}')

    assert read == Interaction(user_id="42")


@pytest.mark.parametrize("currency", ["GB", "GBPX", "12E", "GBP\\n", ""])
def test_interaction_refuses_what_is_no_currency(currency: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"currency"):
        record.decode(Interaction, f'{{"value":{{"amount":1,"currency":"{currency}"}}}}'.encode())
