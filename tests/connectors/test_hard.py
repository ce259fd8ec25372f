"""Hard cases: settable, decided by the seed, known to the truth to the last interaction, and nothing to those who are in none."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.simulator import Simulated, hard, simulate, truth

CALM = {"late": 0.0, "duplicates": 0.0, "out_of_order": 0.0, "malformed": 0.0}
DEFAULT = {
    "interactions.jsonl": "aa4516b3553447926416979d97674b0402e645cdfecd0c2200988f8775385b45",
    "simulated.json": "da20958beddc86a3042c68bf0f3b94db82ffa04d2edf428202754f608de917f4",
    "truth.jsonl": "f81b013280653e420f7df5d47d4996f7a3c01ba13c5eae6d6e702d30535b8722",
}
"""What 5,000 people of seed 7 have always been; benchmarks and digests elsewhere rest on it."""


class World(NamedTuple):
    simulated: Simulated
    told: dict[str, dict[str, Any]]
    people: list[dict[str, Any]]

    def of(self, case: str) -> list[dict[str, Any]]:
        return [person for person in self.people if case in person["hard"]]

    def users(self, case: str, kind: str) -> dict[str, set[str]]:
        """By value of an identifier in a case's messages: the people who sent them."""
        found = defaultdict(set)
        for person in self.of(case):
            for message in person["hard"][case]:
                for name, value in truth.carried(json.dumps(self.told[message]).encode())[1]:
                    if name == kind:
                        found[value].add(person["person"])
        return found


def _world(directory: Path, cases: dict[str, float], people: int = 1_500) -> World:
    simulated = simulate(people, 11, directory, hard_cases=cases, **CALM)  # type: ignore[arg-type]  # a table of options
    told = [json.loads(line) for line in simulated.interactions_path.read_bytes().splitlines()]
    known = [json.loads(line) for line in simulated.truth_path.read_bytes().splitlines()]
    return World(simulated, {one["messageId"]: one for one in told}, known)


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _world(tmp_path_factory.mktemp("easy"), {})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _world(tmp_path_factory.mktemp("hard"), {"": 0.9})


def test_without_a_hard_case_every_byte_is_as_it_ever_was(tmp_path: Path) -> None:
    simulate(5_000, 7, tmp_path)

    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()} == DEFAULT


def test_who_is_in_no_case_is_the_same_and_the_truth_names_every_interaction_that_a_case_has_touched(easy: World, world: World) -> None:
    assert all("hard" not in person for person in easy.people)
    calm = 0
    for plain, person in zip(easy.people, world.people, strict=True):
        assert plain["messages"] == person["messages"]
        touched = {message for messages in person["hard"].values() for message in messages}
        calm += not person["hard"]
        changed = {one for one in person["messages"] if _who(easy.told[one]) != _who(world.told[one])}
        assert changed <= touched
        if not person["hard"]:
            assert {**plain, "hard": {}} == person
    assert 0 < calm < 1_500


def _who(told: dict[str, Any]) -> object:
    return truth.carried(json.dumps(told).encode())[1]


def test_every_case_occurs_and_is_counted_by_people(world: World) -> None:
    assert set(world.simulated.hard) == set(hard.CASES)
    assert world.simulated.hard == {case: len(world.of(case)) for case in sorted(hard.CASES)}
    assert all(len(person["hard"]) <= 1 for person in world.people)
    counts = json.loads((world.simulated.truth_path.parent / "simulated.json").read_text())
    assert counts["hard"] == world.simulated.hard


def test_what_is_shared_is_shared(world: World) -> None:
    assert max(map(len, world.users("family_email", "email").values())) >= 2
    assert [len(users) for value, users in world.users("call_centre", "phone").items()] == [
        len([person for person in world.of("call_centre") if person["hard"]["call_centre"]])
    ]
    assert max(map(len, world.users("shop_tablet", "device_id").values())) > 3
    assert max(map(len, world.users("account", "email").values())) > 3
    assert max(map(len, world.users("account", "phone").values())) > 3
    assert max(map(len, world.users("reused_ids", "case_id").values())) > 1
    assert set(world.users("junk", "email")) >= set(hard.JUNK_EMAILS[:2])
    assert max(map(len, world.users("junk", "user_id").values())) > 3


def test_a_number_is_given_up_before_another_has_it(world: World) -> None:
    times: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for person in world.of("recycled_phone"):
        for message in person["hard"]["recycled_phone"]:
            for kind, value in truth.carried(json.dumps(world.told[message]).encode())[1]:
                if kind == "phone":
                    times[value][person["person"]].append(world.told[message]["timestamp"])
    recycled = [list(users.items()) for users in times.values() if len(users) == 2]

    assert recycled
    for two in recycled:
        (_, first), (_, second) = sorted(two, key=lambda one: int(one[0][1:]))
        assert max(first) < min(second)


def test_a_second_account_is_the_same_person_s_and_a_mistyped_address_mostly_nobody_s(world: World) -> None:
    logins = [person["identifiers"].get("user_id", []) for person in world.of("two_accounts")]
    homes: dict[str, set[str]] = defaultdict(set)
    for person in world.people:
        for email in person["identifiers"].get("email", []):
            homes[email].add(person["person"])
    wrong = [email for person in world.of("typo_email") for email in person["identifiers"].get("email", [])]

    assert any(len(found) == 2 and found[1] == f"{found[0]}-again" for found in logins)
    assert all(len(found) <= 2 for found in logins)
    assert 0 < sum(len(homes[email]) > 1 for email in wrong) < len(wrong) / 4


def test_the_share_of_one_case_can_be_set_alone(tmp_path: Path) -> None:
    all_calls = simulate(400, 5, tmp_path / "calls", hard_cases={"call_centre": 1.0})
    divided = simulate(400, 5, tmp_path / "divided", hard_cases={"": 0.9, "junk": 0.0})

    assert set(all_calls.hard) == {"call_centre"}
    assert "junk" not in divided.hard
    assert all_calls.hard["call_centre"] > 100
    with pytest.raises(ValueError, match="no hard case 'haunted'"):
        simulate(1, 1, tmp_path / "none", hard_cases={"haunted": 1})


def test_the_same_seed_gives_the_same_hard_world(tmp_path: Path, world: World) -> None:
    again = _world(tmp_path, {"": 0.9})

    assert again.simulated.interactions_path.read_bytes() == world.simulated.interactions_path.read_bytes()
    assert again.simulated.truth_path.read_bytes() == world.simulated.truth_path.read_bytes()


def test_the_truth_is_read_as_it_was_written(world: World) -> None:
    told_path, truth_path = truth.paths(world.simulated.truth_path.parent)
    read = truth.read(truth_path)

    assert told_path == world.simulated.interactions_path
    assert [(one.person, one.household) for one in read.people] == [(one["person"], one["household"]) for one in world.people]
    assert read.sender == {message: place for place, one in enumerate(world.people) for message in one["messages"]}
    assert read.touched == {message: case for one in world.people for case, messages in one["hard"].items() for message in messages}
    with pytest.raises(FileNotFoundError, match=r"interactions\.jsonl"):
        truth.paths(truth_path.parent / "elsewhere")
