"""The simulated brand: the same bytes from the same seed, a truth that is one, and enough of everything that tests and benchmarks live on."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jsonl.source import READER
from connectors.runtime.sources import Ready, mapped
from connectors.simulator import Simulated, buckets, malformed, simulate
from connectors.simulator.buckets import Buckets
from schemas import topics
from streams.intake import steps
from streams.journeys import brand as brand_rules
from streams.journeys.identity_policy import identity_policy
from streams.language import rulebook
from tests.laws.memory import Memory

POLICY = identity_policy(b"a secret of the tests")
RECEIVED_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
EVENTS = {
    "Page Viewed", "Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Order Cancelled", "Order Refunded", "Lead Captured",
    "Identify", "Group", "Email Opened", "Email Clicked", "Call Started", "Call Ended", "Case Opened", "Case Updated", "Case Solved",
    "Survey Answered", "Delivery Failed", "Device Reported", "Review Posted", "Store Visited", "Consent Changed",
}  # fmt: skip


class Record(NamedTuple):
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = RECEIVED_MS
    partition: int = 0
    offset: int = 0


class Clock(NamedTuple):
    now: int = RECEIVED_MS * 1_000
    replayed: bool = True


class Brand(NamedTuple):
    simulated: Simulated
    told: list[dict[str, Any]]
    truth: list[dict[str, Any]]


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """Two thousand people, in the order of time, without a flaw."""
    simulated = simulate(2_000, 7, tmp_path_factory.mktemp("brand"), late=0, duplicates=0, out_of_order=0, malformed=0)
    told = [json.loads(line) for line in simulated.interactions_path.read_bytes().splitlines()]
    return Brand(simulated, told, [json.loads(line) for line in simulated.truth_path.read_bytes().splitlines()])


def _names(told: dict[str, Any]) -> set[tuple[str, str]]:
    """The identifiers of an interaction as the truth writes them."""
    own = {"user_id": "userId", "anonymous_id": "anonymousId", "case_id": "caseId", "session_id": "sessionId"}
    names = {(kind, told[field]) for kind, field in own.items() if field in told}
    spelling: dict[str, Callable[[str], str]] = {"email": str.lower, "phone": lambda number: number.replace(" ", "")}
    return names | {(kind, spelling.get(kind, str)(value)) for kind, values in told.get("identifiers", {}).items() for value in values}


def test_without_flaws_all_is_in_the_order_of_time_and_sent_once(brand: Brand) -> None:
    times = [told["timestamp"] for told in brand.told]

    assert times == sorted(times)
    assert len({told["messageId"] for told in brand.told}) == len(brand.told) == brand.simulated.interactions == brand.simulated.lines
    assert all("2025-01-01T" <= time < "2025-03-02T" for time in times)


def test_the_truth_names_every_message_and_every_identifier(brand: Brand) -> None:
    carried: dict[str, set[tuple[str, str]]] = defaultdict(set)
    sender = {message: person["person"] for person in brand.truth for message in person["messages"]}
    for told in brand.told:
        carried[sender[told["messageId"]]] |= _names(told)

    assert len(sender) == sum(len(person["messages"]) for person in brand.truth) == len(brand.told)
    assert len(brand.truth) == 2_000
    for person in brand.truth:
        assert carried[person["person"]] == {(kind, value) for kind, values in person["identifiers"].items() for value in values}


def test_only_people_of_one_household_share_an_identifier(brand: Brand) -> None:
    homes = defaultdict(set)
    for person in brand.truth:
        for kind, values in person["identifiers"].items():
            for value in values:
                homes[kind, value].add(person["household"] or person["person"])
    shared = [
        identifier for person in brand.truth for identifier in person["identifiers"].get("anonymous_id", []) if identifier.startswith("h")
    ]

    assert all(len(home) == 1 for home in homes.values())
    assert max(Counter(shared).values()) > 1


def test_intake_takes_every_identifier_and_every_interaction(brand: Brand) -> None:
    decision = steps.decide([Record(line) for line in brand.simulated.interactions_path.read_bytes().splitlines()], Clock(), POLICY, 1)

    assert {sent.topic for sent in decision.send} == {topics.IDENTITY}
    assert not [label for label in decision.tally if label[0] == "kairos_identifiers_blocked"]


def test_everything_that_a_brand_sees_occurs(brand: Brand) -> None:
    assert set(brand.simulated.events) == EVENTS
    assert {told["type"] for told in brand.told} == {"track", "page", "screen", "identify", "group"}
    assert {told["channel"] for told in brand.told} >= {"web", "mobile", "email", "voice", "ticket", "survey", "store", "iot", "partner"}
    assert 9 < brand.simulated.interactions / 2_000 < 12
    assert any(person["account"] for person in brand.truth)


def test_every_interaction_says_which_system_saw_it_and_what_that_knows_of_a_person(brand: Brand) -> None:
    sender = {message: person["person"] for person in brand.truth for message in person["messages"]}
    known: dict[str, set[tuple[str, str]]] = defaultdict(set)
    told_by: dict[str, set[str]] = defaultdict(set)
    for told in brand.told:
        source = told["source"]
        assert source.keys() == {"system", "party", "owner"}
        assert (source["party"] == "second") == (source["system"] in {"carrier", "survey"})
        facts = {field: told[field] for field in ("language", "timezone") if field in told}
        known[sender[told["messageId"]]] |= facts.items()
        told_by[source["system"]].add(" ".join(facts))

    assert {system: sorted(facts) for system, facts in told_by.items()} == {
        "web": ["language timezone"], "app": ["language timezone"], "shop": ["language"], "mailing": ["language"], "call-centre": ["language"],
        "ticketing": ["language"], "survey": ["language"], "iot-hub": ["timezone"], "tills": [""], "erp": [""], "carrier": [""],
    }  # fmt: skip
    assert all(len(facts) == len({field for field, _ in facts}) for facts in known.values()), "of a person one language and one time zone"
    assert {language for facts in known.values() for field, language in facts if field == "language"} == {"de", "en", "fr", "it", "nl"}


def test_profiles_of_the_brand_say_which_systems_are_silent_and_how_to_speak_to_people(brand: Brand) -> None:
    memory = Memory(rulebook(brand_rules), 1, batch=500)
    some = {message for person in brand.truth[:60] for message in person["messages"]}
    for told in brand.told:
        if told["messageId"] in some:
            memory.produce(told, key=b"in order")
    memory.run()

    profiles = [json.loads(record.value or b"{}") for record in memory.log[topics.PROFILES]]
    newest = {profile["customerId"]: profile for profile in profiles if "mergedInto" not in profile}

    assert max(len(profile["freshness"]) for profile in newest.values()) >= 6
    assert not any("" in profile["freshness"] for profile in newest.values())
    assert sum(profile["language"] is None for profile in newest.values()) < 0.1 * len(newest)
    assert sum(profile["timezone"] is None for profile in newest.values()) < 0.2 * len(newest)


def test_a_thousand_people_are_first_known_apart(brand: Brand) -> None:
    """Links between identifiers that both have a history of over three days."""
    since: dict[str, str] = {}
    parent: dict[tuple[str, str], tuple[str, str]] = {}
    merges = 0

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for told in brand.told:
        roots = {root(name) for name in _names(told)}
        day = told["timestamp"][:10]
        old = [one for one in roots if str(one) in since and _days(day) - _days(since[str(one)]) > 3]
        merges += max(0, len(old) - 1)
        first = min(roots)
        for one in roots:
            parent[one] = first
        since[str(first)] = min([day, *(since[str(one)] for one in roots if str(one) in since)])

    assert merges >= 1_000


def _days(date: str) -> int:
    return (int(date[5:7]) - 1) * 31 + int(date[8:10])


def test_the_brands_moments_occur_often_enough(brand: Brand) -> None:
    sender = {message: person["person"] for person in brand.truth for message in person["messages"]}
    lives = defaultdict(list)
    for told in brand.told:
        lives[sender[told["messageId"]]].append(told)
    abandoned = complained = failed = 0
    for life in lives.values():
        events = [told["event"] for told in life]
        kinds = [told["event"] if told["event"] != "Case Opened" else told["properties"]["kind"] for told in life]
        abandoned += "Product Added" in events and "Order Completed" not in events
        complained += any(first == "Order Completed" and "complaint" in kinds[place : place + 3] for place, first in enumerate(kinds))
        failed += sum(kind in ("Delivery Failed", "failure", "complaint") for kind in kinds) >= 3

    assert min(abandoned, complained, failed) >= 60


@pytest.mark.parametrize("kind", malformed.NAMES)
def test_no_malformed_line_is_taken_for_an_interaction(kind: str, tmp_path: Path, brand: Brand) -> None:
    bad = malformed.KINDS[kind](brand.told[100])
    (tmp_path / "lines").write_bytes(bad + b"\n")

    assert b"\n" not in bad
    (one,) = mapped(READER, tmp_path / "lines")
    if isinstance(one, Ready):
        (sent,) = steps.decide([Record(one.value)], Clock(), POLICY, 1).send
        assert sent.topic == topics.DEAD_LETTERS


def test_there_are_over_thirty_kinds_of_malformed_lines() -> None:
    assert len(malformed.NAMES) > 30
    assert {malformed.line(drawn / 10_000, {"event": "x"})[0] for drawn in range(10_000)} == set(malformed.NAMES)


def test_shares_of_flaws_are_kept(tmp_path: Path) -> None:
    simulated = simulate(1_000, 3, tmp_path, late=0.1, duplicates=0.2, out_of_order=0.3, malformed=0.05)

    def share(count: int) -> float:
        return count / simulated.interactions

    lines = simulated.interactions_path.read_bytes().splitlines()
    assert share(simulated.late) == pytest.approx(0.1, rel=0.1)
    assert share(simulated.duplicates) == pytest.approx(0.2, rel=0.1)
    assert share(simulated.out_of_order) == pytest.approx(0.3, rel=0.1)
    assert share(sum(simulated.malformed.values())) == pytest.approx(0.05, rel=0.2)
    assert len(lines) == simulated.lines == simulated.interactions + simulated.duplicates + sum(simulated.malformed.values())
    assert len(lines) - len(set(lines)) >= simulated.duplicates


def test_late_ones_come_late(tmp_path: Path) -> None:
    simulated = simulate(500, 3, tmp_path, late=0.1, duplicates=0, out_of_order=0, malformed=0)

    newest, late = 0, 0
    for one in mapped(READER, simulated.interactions_path):
        assert isinstance(one, Ready) and one.occurred_at is not None
        late += newest - one.occurred_at > HOUR_MS * 1_000 / 2
        newest = max(newest, one.occurred_at)

    assert late == pytest.approx(simulated.late, rel=0.05)


def test_a_seed_decides_every_byte_whatever_python_hashes(tmp_path: Path) -> None:
    call = "import sys, pathlib, connectors.simulator as it; it.simulate(300, int(sys.argv[1]), pathlib.Path(sys.argv[2]), compressed=True)"

    def run(name: str, seed: int, hash_seed: str) -> dict[str, bytes]:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run(
            [sys.executable, "-c", call, str(seed), str(tmp_path / name)], check=True, env=environment, cwd=Path(__file__).parents[2]
        )
        return {file.name: file.read_bytes() for file in sorted((tmp_path / name).iterdir())}

    assert run("a", 5, "1") == run("b", 5, "2")
    assert run("a", 5, "1").keys() == {"interactions.jsonl.gz", "truth.jsonl", "simulated.json"}
    assert run("c", 6, "1")["interactions.jsonl.gz"] != run("a", 5, "1")["interactions.jsonl.gz"]


def test_more_people_do_not_change_those_who_were_there(tmp_path: Path) -> None:
    few = simulate(100, 9, tmp_path / "few", households=0)
    many = simulate(200, 9, tmp_path / "many", households=0)

    assert many.truth_path.read_text().startswith(few.truth_path.read_text())


@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=8).filter(lambda line: b"\n" not in line))), st.integers(1, 5_000))
def test_buckets_sort_all_lines_within_little_memory(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, bytes]], width: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "BUFFER_BYTES", 100)
        kept = Buckets(tmp_path_factory.mktemp("buckets"), width)
        for arrival, line in lines:
            kept.put(arrival, line)
        drained = [line for portion in kept.drain() for line in portion]

    assert drained == [line + b"\n" for _, line in sorted(lines, key=lambda one: (one[0], one[1] + b"\n"))]
