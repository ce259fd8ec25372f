"""`kairos identity diff` says what a new policy would change, on a Kairos's own rows and on a simulation, and changes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs
from rich.console import Console

from connectors.simulator import simulate
from streams import app
from streams.cli import diff, main, policies
from streams.identity.compare import difference
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.policy import Policy
from streams.journeys import brand
from streams.journeys.identity_policy import identity_policy
from streams.language import rulebook
from tests.cli.values import Message
from tests.laws.memory import POLICY, Memory

RULEBOOK = rulebook(brand)
LIFE = [
    {"crm_id": "1", "email": "ann@brand.co"},
    {"user_id": "ann", "email": "ann@brand.co"},
    {"crm_id": "2", "phone": "+442079460999"},
    {"crm_id": "3", "phone": "+442079460999"},
    {"email": "eve@brand.co"},
]


def _kairos(policy: Policy) -> Memory:
    memory = Memory(RULEBOOK, 3, 1, policy=policy, crash=0.1, batch=2)
    for number, identifiers in enumerate(LIFE):
        said = {"messageId": f"m{number}", "event": "Seen", "identifiers": identifiers, "timestamp": f"2025-01-0{number + 1}T09:00:00Z"}
        memory.produce(said)
    memory.run()
    return memory


def _read(memory: Memory) -> Iterator[Message]:
    return (Message(row, key, partition) for partition, key, row in memory.changelog)


def _id(kind: str, value: str) -> str:
    found = normaliser(POLICY).normalise(kind, value)
    assert isinstance(found, Identifier)
    return customer_id(found.key)


def _email_is_no_proof(policy: Policy) -> Policy:
    types = (
        structs.replace(kind, limit=None, window_days=None, generic_above=1) if kind.name == "email" else kind for kind in policy.types
    )
    return structs.replace(policy, types=tuple(types))


def test_the_rows_of_a_running_kairos_say_who_would_split_and_who_would_merge() -> None:
    strict = _email_is_no_proof(POLICY)
    loose_memory, strict_memory = _kairos(POLICY), _kairos(strict)

    parted = difference(*diff.resolved(lambda: _read(loose_memory), POLICY, strict))
    joined = difference(*diff.resolved(lambda: _read(strict_memory), strict, POLICY))

    assert [one.customer for one in parted.splits] == [_id("user_id", "ann")]
    assert (parted.before, parted.after, len(parted.merges)) == (4, 5, 0)
    assert [one.into for one in joined.merges] == [_id("user_id", "ann")]
    assert (joined.before, joined.after, joined.same, len(joined.splits)) == (5, 4, 3, 0)


def test_the_policy_in_force_changes_nobody() -> None:
    memory = _kairos(POLICY)
    before = [dict(store.rows) for store in memory.rows]

    found = difference(*diff.resolved(lambda: _read(memory), POLICY, POLICY))

    assert (found.same, found.merges, found.splits, found.renamed) == (4, (), (), ())
    assert [dict(store.rows) for store in memory.rows] == before


def test_the_table_names_each_change() -> None:
    stream = io.StringIO()
    found = difference({1: "ca", 2: "cb", 3: "cc", 4: "cc", 5: "ce"}, {1: "cx", 2: "cx", 3: "cc", 4: "cd", 5: "cf"})

    diff.show(Console(file=stream, width=160), found, 20)

    printed = " ".join(stream.getvalue().split())
    assert "4 customers would be 4: 0 stay as they are, 2 would merge into 1, 1 would split, 1 would only change id." in printed
    assert "merge ca, cb cx" in printed
    assert "split cc cc, cd" in printed
    assert "new id ce cf" in printed


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(300, 3, tmp_path_factory.mktemp("brand"), hard_cases={"": 0.5}).truth_path.parent


def _invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["identity", "diff", *words], env={"KAIROS_SECRET": "s"})


def test_a_simulation_says_it_too(directory: Path, tmp_path: Path) -> None:
    in_force = identity_policy(b"s", "GB")
    (tmp_path / "new.json").write_text(json.dumps(policies.written(_email_is_no_proof(in_force))))
    (tmp_path / "same.json").write_text(json.dumps(policies.written(in_force)))

    changed = json.loads(_invoke(str(directory), "--policy", str(tmp_path / "new.json"), "--json").output)
    same = json.loads(_invoke(str(directory), "--policy", str(tmp_path / "same.json"), "--json").output)

    assert changed["split"] > 0
    assert changed["split"] == len(changed["splits"])
    assert (same["merged"], same["split"], same["renamed"], same["same"]) == (0, 0, 0, same["customersBefore"])


def test_the_policy_in_force_is_printed_as_a_beginning_of_another(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["identity", "policy"], env={"KAIROS_SECRET": "a secret", "KAIROS_REGION": "DE"})
    (tmp_path / "new.json").write_text(printed.output)

    assert printed.exit_code == 0
    assert "a secret" not in printed.output
    assert app.policy_in(tmp_path / "new.json", identity_policy(b"a secret")) == identity_policy(b"a secret", "DE")


def test_a_wrong_policy_is_told_by_its_field(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"types": [{"name": "email", "strength": "strong", "priority": 0, "limit": 0}]}')

    result = _invoke(str(directory), "--policy", str(tmp_path / "new.json"))

    assert result.exit_code == 1
    assert "types.email.limit: at least 1" in result.output
