"""`kairos identity export`: all that a whole Kairos holds about one person, nothing of another's, in a file for its owner alone."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from streams.cli import subject
from streams.cli.customer import NotFound
from streams.journeys import brand
from streams.language import rulebook
from streams.settings import Settings
from tests.cli.values import Message
from tests.laws.memory import Memory
from tests.laws.test_commands import command

CHANGELOG = "changelog"
SETTINGS = Settings(secret="a secret of the tests", region="GB")  # type: ignore[arg-type]  # pydantic makes a SecretStr of it
SAID: list[dict[str, Any]] = [
    {"anonymousId": "cookie-ann", "event": "Page Viewed"},
    {"anonymousId": "cookie-ann", "identifiers": {"email": "Ann@brand.co"}, "event": "Lead Captured"},
    {
        "identifiers": {"crm_id": "17850", "email": "ann@brand.co"},
        "event": "Order Completed",
        "properties": {"revenue": 5, "currency": "GBP"},
    },
    {
        "identifiers": {"crm_id": "99999", "email": "bob@brand.co"},
        "event": "Order Completed",
        "properties": {"revenue": 7, "currency": "GBP"},
    },
    {"identifiers": {"crm_id": "99999"}, "event": "Seen", "timestamp": "never"},
    {"identifiers": {"crm_id": "17850"}, "event": "Seen", "timestamp": "never"},
    {"identifiers": {"loyalty_id": "L1"}, "event": "Store Visited"},
]


@pytest.fixture(scope="module")
def kairos() -> Memory:
    memory = Memory(rulebook(brand), 3, 1, batch=3)
    for number, said in enumerate(SAID):
        memory.produce({"messageId": f"m{number}", "timestamp": f"2025-01-0{number + 1}T09:00:00Z", **said})
        memory.run()
    memory.command(command(1, "link", [("crm_id", "17850"), ("loyalty_id", "L1")]))
    memory.command(command(2, "cannot_link", [("crm_id", "99999"), ("loyalty_id", "L2")]))
    memory.run()
    return memory


def _read(memory: Memory, topic: str) -> Iterator[Message]:
    if topic == CHANGELOG:
        return (Message(row, key, partition) for partition, key, row in memory.changelog)
    if topic == topics.COMMANDS:
        return (Message(one.value, one.key) for (name, _), records in memory.inputs.items() if name == topic for one in records)
    return (Message(one.value, one.key) for one in memory.log[topic])


def _held(memory: Memory, identifier: str) -> dict[str, Any]:
    said = subject.held(lambda topic: _read(memory, topic), CHANGELOG, identifier, SETTINGS)
    assert not isinstance(said, NotFound)
    return said


@pytest.mark.parametrize("identifier", ["crm_id:17850", "email:ANN@brand.co", "cookie:cookie-ann", "loyalty_id:L1"])
def test_by_any_identifier_all_is_found(kairos: Memory, identifier: str) -> None:
    said = _held(kairos, identifier)

    assert [one["messageId"] for one in said["timeline"]] == ["m0", "m1", "m2", "m6"]
    assert said["timeline"][2]["sent"] == {"messageId": "m2", "timestamp": "2025-01-03T09:00:00Z", **SAID[2]}
    assert said["profile"]["totals"]["GBP"]["orders"] == 1
    assert {one["identifier"] for one in said["identity"]["identifiers"]} == {
        "crm_id:17850", "email:ann@brand.co", "anonymous_id:cookie-ann", "loyalty_id:L1",
    }  # fmt: skip
    assert said["stages"] and {one["customerId"] for one in said["stages"]} <= set(said["customerIds"])
    assert {one["kind"] for one in said["identityChanges"]} >= {"merge", "link"}
    assert [one["id"] for one in said["commands"]] == ["command-1"]
    assert len(said["refused"]) == 1


def test_nothing_is_found_that_is_another_s(kairos: Memory) -> None:
    ann, bob = (json.dumps(_held(kairos, identifier)) for identifier in ("crm_id:17850", "crm_id:99999"))

    assert "99999" not in ann and "bob@" not in ann
    assert "17850" not in bob and "ann@" not in bob.lower()
    assert _held(kairos, "crm_id:99999")["refused"]


def test_a_link_by_command_is_told_as_the_reason(kairos: Memory) -> None:
    (card,) = [one for one in _held(kairos, "crm_id:17850")["identity"]["identifiers"] if one["identifier"] == "loyalty_id:L1"]

    assert [link["verdict"] for link in card["chain"]] == ["bound"]
    assert card["chain"][0]["because"] == "a command says that they are one customer's"


def test_who_is_not_known_is_told_so(kairos: Memory) -> None:
    found = subject.held(lambda topic: _read(kairos, topic), CHANGELOG, "crm_id:5", SETTINGS)

    assert isinstance(found, NotFound)
    assert "Nobody is known by crm_id:5" in found.why


def test_the_file_is_its_owner_s_alone_and_never_another_s(tmp_path: Path) -> None:
    subject.write(tmp_path / "ann.json", {"profile": 1})

    assert stat.S_IMODE((tmp_path / "ann.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "ann.json").read_bytes()) == {"profile": 1}
    with pytest.raises(FileExistsError):
        subject.write(tmp_path / "ann.json", {})
