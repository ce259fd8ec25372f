"""The law of sizes: whatever valid interactions come, no row and no record is larger than the engine and the broker take."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.interaction import CONSENTS_MAX, IDENTIFIERS_MAX, NAME_CHARACTERS_MAX, RECORD_BYTES_MAX
from schemas.output import EVIDENCE_MAX
from streams import instants
from streams.boundary import Decision
from streams.customer.horizon import LIMITS
from streams.engine import EngineSettings
from streams.engine.settings import RECORD_OVERHEAD_BYTES
from streams.instants import HOUR
from streams.journeys import retail
from streams.language import Rulebook, rulebook
from tests.laws.memory import Memory, View

LARGEST = EngineSettings(app_id="sizes", bootstrap="none", state_dir=Path()).record_bytes_max - 2 * RECORD_OVERHEAD_BYTES
BEGIN = instants.parse("2024-12-01T00:00:00Z") or 0
SMILE = "\U0001f642"


class Measured(Memory):
    """A Kairos that looks at the size of all that it writes."""

    def __init__(self, rules: Rulebook, batch: int = 20) -> None:
        super().__init__(rules, 1, limits=LIMITS, batch=batch)
        self.largest: dict[bytes | str, int] = {}

    def _commit(self, partition: int, view: View, decided: Decision) -> None:
        for key, row in view.written.items():
            self._measure(key[:1], len(key) + len(row or b""))
        for sent in decided.send:
            size = len(sent.key or b"") + len(sent.value or b"") + sum(len(name) + len(value) for name, value in sent.headers)
            self._measure(sent.topic, size)
        super()._commit(partition, view, decided)

    def _measure(self, what: bytes | str, size: int) -> None:
        self.largest[what] = max(self.largest.get(what, 0), size)
        assert size < LARGEST, what


@pytest.fixture(scope="module")
def shop() -> Rulebook:
    return rulebook(retail)


def values(memory: Memory, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value or b"") for record in memory.log[topic]]


def _name(letters: str, number: int, longest: int = NAME_CHARACTERS_MAX) -> str:
    """A name of the greatest length that tells this number from others."""
    return f"{number}-".ljust(longest, letters)


def _decisions(letters: str, number: int) -> list[dict[str, str]]:
    return [
        {"purpose": _name(letters, each), "channel": _name(letters, number), "state": ("granted", "denied")[each % 2], "basis": letters * 9}
        for each in range(CONSENTS_MAX)
    ]


def test_all_decisions_under_all_identifiers_of_an_interaction_fit_a_row(shop: Rulebook) -> None:
    memory = Measured(shop)
    said = _decisions("p", 1)

    for number in range(2):
        values = [_name(SMILE, 100 * number + each, 600) for each in range(IDENTIFIERS_MAX - 1)]
        memory.produce(
            {
                "userId": "ann",
                "event": "Consent Changed",
                "identifiers": {"card": values},
                "timestamp": "2025-12-01T00:00:00Z",
                "messageId": f"{number}",
                "consent": said,
            }
        )
    memory.run()

    assert memory.tally["kairos_interactions_applied",] == 2


def test_a_customer_whose_every_order_is_a_big_one_fits_a_row(shop: Rulebook) -> None:
    memory = Measured(shop, batch=200)

    for number in range(1_990):
        at = instants.text(BEGIN + number * 4 * HOUR)
        revenue = {"revenue": str((number + 1) ** 4), "currency": "GBP"}
        order = {"userId": "walk-in", "event": "Order Completed", "timestamp": at, "properties": revenue}
        memory.produce({**order, "messageId": f"5f0f8f4e-77cf-4a3c-b0f2-{number:012}"}, key=b"one")
    memory.run()

    assert max(len(value["evidence"]) for value in values(memory, topics.MOMENTS)) == EVIDENCE_MAX


@pytest.mark.parametrize("letter", [SMILE, "\x01"], ids=["four bytes a letter", "six bytes a letter in JSON"])
def test_a_customer_of_the_widest_interactions_fits_its_rows_and_profiles(shop: Rulebook, letter: str) -> None:
    memory = Measured(shop, batch=9)
    room = RECORD_BYTES_MAX // len(msgspec.json.encode(letter)[1:-1]) - 6_500  # Letters beside those of the envelope.

    for number in range(360):
        said: dict[str, Any] = {
            "userId": "ann",
            "event": "Case Opened",
            "timestamp": instants.text(BEGIN + number * HOUR),
            "messageId": f"{number}",
        }
        for field in ("channel", "touchpoint", "caseId", "topic", "language", "timezone", "department", "account"):
            said[field] = _name(letter, number)
        said["source"] = {"system": _name(letter, number)}
        widest = (
            {"identifiers": {"card": [_name(letter, 100 * number + each, 1000) for each in range(min(63, room // 1100))]}},
            {"consent": _decisions(letter, number)[: room // 1100]},
            {"traits": {_name(letter, 1000 * number + each): letter * 1000 for each in range(room // 1800)}},
        )
        memory.produce(msgspec.json.encode({**said, **widest[number % 3]}), key=b"one")
    memory.run()

    assert not values(memory, topics.DEAD_LETTERS)
    assert memory.tally["kairos_interactions_applied",] == 360
    assert memory.tally["kairos_customers_lightened", "names"] > 0
    last = values(memory, topics.PROFILES)[-1]
    assert last["language"] == _name(letter, 359)
    assert _name(letter, 359) in last["accounts"]
    assert "user_id" in last["identifiers"]


def test_a_customer_of_the_longest_ids_whose_every_order_is_a_big_one_fits_a_row(shop: Rulebook) -> None:
    memory = Measured(shop, batch=100)

    for number in range(2_000):
        order = {"userId": "ann", "event": "Order Completed", "timestamp": instants.text(BEGIN + number * 4 * HOUR)}
        said = {"source": {"system": _name(SMILE, 1)}, "properties": {"revenue": str((number + 1) ** 4), "currency": "GBP"}}
        memory.produce({**order, **said, "messageId": _name(SMILE, number)}, key=b"one")
    memory.run()

    assert memory.tally["kairos_interactions_applied",] == 2_000
    assert memory.tally["kairos_customers_lightened", "said"] > 0
    assert memory.tally["kairos_customers_lightened", "memory"] > 0
    assert values(memory, topics.PROFILES)[-1]["totals"]["GBP"]["orders"] == 2_000
