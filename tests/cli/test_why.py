"""`kairos who` and `kairos why` say which interactions made a link and which rule refused one, from a whole Kairos's own rows; nothing overlaps."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec import structs
from rich.console import Console

from schemas import topics
from streams.cli import evidence, named, picture, reasons, ties
from streams.cli.evidence import Evidence
from streams.cli.options import Failure
from streams.identity import explain, messages
from streams.identity.identifiers import customer_id
from streams.identity.messages import Cannot
from streams.identity.policy import Policy
from streams.instants import DAY
from streams.journeys import brand
from streams.language import rulebook
from streams.rows import NodeKey, Person
from tests.cli.values import Message
from tests.laws.memory import POLICY, RECEIVED, Memory, partition_of

README = Path(__file__).parents[2] / "README.md"
MONTH = 31 * DAY
RULEBOOK = rulebook(brand)
CALL_CENTRE = "+442079460999"
CUSTOMERS = ("17850", "7", "81", "82", "83", "84", "85")

Said = tuple[int, str, str, dict[str, str]]
LIFE: list[Said] = [
    (1, "site", "web", {"anonymous_id": "cookie-1", "email": "ann@brand.co"}),
    (2, "shop", "store", {"crm_id": "17850", "email": "ann@brand.co"}),
    (4, "app", "mobile", {"device_id": "tablet", "crm_id": "17850"}),
    (5, "app", "mobile", {"device_id": "tablet", "crm_id": "7"}),
    (7, "shop", "store", {"crm_id": "7", "email": "ann@brand.co"}),
    *[(8 + number, "calls", "voice", {"crm_id": customer, "phone": CALL_CENTRE}) for number, customer in enumerate(CUSTOMERS)],
    (22, "shop", "store", {"crm_id": "91", "loyalty_id": "L1"}),
    (25, "site", "web", {"anonymous_id": "cookie-1", "email": "ann@brand.co"}),
]


def _world(life: list[Said], partitions: int = 3, seed: int = 0, one_by_one: bool = False, policy: Policy = POLICY) -> Memory:
    memory = Memory(RULEBOOK, partitions, seed, crash=0.1, batch=5, now=RECEIVED * 1000 + MONTH, policy=policy)
    for number, (day, source, channel, identifiers) in enumerate(life, start=1):
        memory.produce(
            {
                "messageId": f"m{number}",
                "event": "Page Viewed",
                "identifiers": {kind: [value] for kind, value in identifiers.items()},
                "channel": channel,
                "source": {"system": source},
                "timestamp": f"2026-01-{day:02d}T09:00:00Z",
            }
        )
        if one_by_one:
            memory.run()
    memory.run()
    return memory


def _key(written: str) -> NodeKey:
    return named.identifier(written, POLICY).key


def _gather(memory: Memory, *written: str, policy: Policy = POLICY) -> Evidence:
    def read() -> Iterator[Message]:
        return (Message(row, key, partition) for partition, key, row in memory.changelog)

    found, unseen = evidence.gather(read, [_key(one) for one in written], policy)
    assert unseen == set()
    return found


def _why(memory: Memory, one: str, other: str) -> tuple[Evidence, explain.Why]:
    found = _gather(memory, one, other)
    return found, explain.why(found.judged, _key(one), _key(other))


def _printed(memory: Memory, one: str, other: str) -> str:
    found, why = _why(memory, one, other)
    return _text(lambda console: ties.show_why(console, found, _key(one), _key(other), why))


def _text(show: Any) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=160, highlight=False))
    return stream.getvalue()


def _changes(memory: Memory, customer: str) -> list[dict[str, Any]]:
    return evidence.changes_of([Message(one.value) for one in memory.log[topics.IDENTITY_CHANGES]], customer)


@pytest.fixture(scope="module")
def shop() -> Memory:
    return _world(LIFE, one_by_one=True)


def test_the_same_person_is_told_by_the_shortest_chain_and_its_interactions(shop: Memory) -> None:
    found, why = _why(shop, "crm_id:17850", "cookie:cookie-1")

    said = reasons.answer(found, _key("crm_id:17850"), _key("cookie:cookie-1"), why)

    assert (said["same"], said["keptApartBy"]) == (True, None)
    assert [(link["from"], link["to"]) for link in said["chain"]] == [
        ("crm_id:17850", "email:ann@brand.co"),
        ("email:ann@brand.co", "anonymous_id:cookie-1"),
    ]
    assert [[one["messageId"] for one in link["interactions"]] for link in said["chain"]] == [["m2"], ["m1", "m14"]]
    assert said["chain"][0]["interactions"][0] == {
        "messageId": "m2", "source": "shop", "channel": "store", "occurredAt": "2026-01-02T09:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "rule", "words"),
    [
        ("email:ann@brand.co", "crm_id:7", "limit", "a person has at most 1 crm_id; these two would have crm_id:17850, crm_id:7"),
        ("crm_id:17850", "device_id:tablet", "weak_between_known", "it is nobody's"),
        ("crm_id:17850", "crm_id:83", "generic", f"phone:{CALL_CENTRE} was seen with more than 2 logins or customer numbers"),
        ("crm_id:17850", f"phone:{CALL_CENTRE}", "generic", "so it links nobody"),
        ("crm_id:17850", "crm_id:91", "never_seen_together", "Never seen together"),
    ],
)
def test_those_kept_apart_are_told_the_rule(shop: Memory, one: str, other: str, rule: str, words: str) -> None:
    for left, right in ((one, other), (other, one)):
        found, why = _why(shop, left, right)
        said = reasons.answer(found, _key(left), _key(right), why)
        printed = _printed(shop, left, right)

        assert (said["same"], said["keptApartBy"]) == (False, rule)
        assert said["a"]["customerId"] != said["b"]["customerId"]
        assert printed.startswith(f"Not the same person: {found.name(_key(left))} is ")
        assert words in printed


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_link_that_was_not_kept_is_told_with_the_crowd_or_the_full_component_that_refused_it(one_by_one: bool) -> None:
    def told(policy: Policy, life: list[Said], one: str, other: str) -> tuple[str | None, str, list[str]]:
        memory = _world(life, one_by_one=one_by_one, policy=policy)
        found = _gather(memory, one, other, policy=policy)
        asked = found, _key(one), _key(other), explain.why(found.judged, _key(one), _key(other))
        said, printed = reasons.answer(*asked), _text(lambda console: ties.show_why(console, *asked))
        return said["keptApartBy"], printed, [seen["messageId"] for link in said["chain"] for seen in link["interactions"]]

    few = structs.replace(POLICY, types=tuple(structs.replace(kind, neighbours_max=2) for kind in POLICY.types))
    tablets: list[Said] = [(number, "app", "mobile", {"device_id": "tablet", "email": f"{number}@brand.co"}) for number in range(1, 5)]
    rule, printed, seen = told(few, tablets, "device_id:tablet", "email:1@brand.co")
    assert (rule, seen) == ("crowded", ["m1"])
    assert "crowded: device_id:tablet was seen with more than 2 email, so it is linked to none of them" in printed

    if one_by_one:
        chain: list[Said] = [
            (1, "site", "web", {"crm_id": "1", "email": "a@brand.co"}),
            (2, "site", "web", {"email": "a@brand.co", "phone": "+442079460001"}),
            (3, "site", "web", {"phone": "+442079460001", "device_id": "thing"}),
            (4, "site", "web", {"device_id": "thing", "anonymous_id": "cookie-9"}),
        ]
        rule, printed, seen = told(structs.replace(POLICY, component_size_max=4), chain, "device_id:thing", "cookie:cookie-9")
        assert (rule, seen) == ("component_full", ["m4"])
        assert "full: more than 4 identifiers and links came together here, so nobody else is taken in" in printed


def test_a_thing_that_a_login_of_many_was_seen_on_is_told_with_that_login() -> None:
    life: list[Said] = [(day, "site", "web", {"crm_id": who, "cookie": f"c{day}"}) for day in range(1, 5) for who in ("form", f"{day}")]
    memory = _world([*life, (9, "site", "web", {"crm_id": "form", "cookie": "c9"})])

    assert reasons.answer(*_answered(memory, "crm_id:form", "cookie:c9"))["keptApartBy"] == "shared_login"
    printed = _printed(memory, "crm_id:form", "cookie:c9")
    assert "shared login: crm_id:form was seen on things of more than 3 others, so none is linked to it" in printed


def test_a_command_is_told_with_the_two_that_it_names() -> None:
    memory = _world(LIFE[:3])
    ends = _key("crm_id:17850"), _key("cookie:cookie-1")
    for end in ends:
        command = messages.encode(Cannot((min(ends), max(ends)), True, 1, ()))
        memory._append(topics.IDENTITY, partition_of(end, memory.partitions), end, command, ())
    memory.run()

    assert reasons.answer(*_answered(memory, "email:ann@brand.co", "cookie:cookie-1"))["keptApartBy"] == "cannot_link"
    assert "A command keeps crm_id:17850 and anonymous_id:cookie-1 apart." in _printed(memory, "email:ann@brand.co", "cookie:cookie-1")


def test_what_a_command_marked_is_not_said_to_be_counted() -> None:
    memory = _world(LIFE[:2])
    email = _key("email:ann@brand.co")
    marked = messages.encode(messages.Generic(email, True, (), None, True, 7 * messages.COMMANDED_MIN))
    memory._append(topics.IDENTITY, partition_of(email, memory.partitions), email, marked, ())
    memory.run()

    printed = _printed(memory, "crm_id:17850", "email:ann@brand.co")

    assert "generic: a command marked email:ann@brand.co as shared by many, so it links nobody" in printed
    assert "was seen with more than" not in printed


def test_no_link_was_last_seen_before_it_was_first_seen() -> None:
    memory = _world([])
    for number, minute in enumerate((10, 40)):
        sent = {"crm_id": ["17850"], "email": ["ann@brand.co"]}
        memory.produce({"messageId": f"m{number}", "event": "X", "identifiers": sent, "timestamp": f"2026-01-01T09:{minute}:00Z"})
    memory.run()

    (link,) = reasons.answer(*_answered(memory, "crm_id:17850", "email:ann@brand.co"))["chain"]

    assert (link["firstSeen"], link["lastSeen"]) == ("2026-01-01T09:10:00Z", "2026-01-01T09:40:00Z")


def _answered(memory: Memory, one: str, other: str) -> tuple[Evidence, NodeKey, NodeKey, explain.Why]:
    found, why = _why(memory, one, other)
    return found, _key(one), _key(other), why


def test_who_says_why_each_identifier_belongs_what_was_refused_and_what_became_of_whom(shop: Memory) -> None:
    found = _gather(shop, "email:ann@brand.co")
    ann = found.person(_key("email:ann@brand.co"))
    history = _changes(shop, customer_id(ann.canonical))

    said = reasons.identity(found, ann, [evidence.told(change) for change in history])
    printed = _text(lambda console: ties.show(console, found, ann, history))

    assert said["canonical"] == "crm_id:17850"
    assert {one["identifier"]: len(one["chain"]) for one in said["identifiers"]} == {
        "crm_id:17850": 0, "email:ann@brand.co": 1, "anonymous_id:cookie-1": 2,
    }  # fmt: skip
    assert said["identifiers"][-1]["firstSeen"] == "2026-01-01T09:00:00Z"
    assert said["identifiers"][-1]["lastSeen"] == "2026-01-25T09:00:00Z"
    assert {link["verdict"] for link in said["refused"]} == {"limit", "generic", "weak_between_known"}
    assert history
    for line in ("    └ email:ann@brand.co", "by m2 (shop, store) 2026-01-02 09:00", "limit: a person", "merges and splits, in time"):
        assert line in printed


def test_what_is_explained_is_the_same_in_any_order_of_arrival_and_partitioning() -> None:
    def told(memory: Memory) -> list[dict[str, Any]]:
        pairs = combinations(["crm_id:17850", "email:ann@brand.co", "device_id:tablet", "crm_id:7", "crm_id:85"], 2)
        return [reasons.answer(*_answered(memory, *two)) for two in pairs]

    wanted = told(_world(LIFE, 1))

    assert all(told(_world(LIFE, partitions, seed)) == wanted for seed, partitions in enumerate((2, 3, 8), start=1))


def test_merges_and_splits_of_others_are_not_told() -> None:
    def change(kind: str, day: int, came: list[str], into: list[str]) -> Message:
        value = {"kind": kind, "id": str(day), "version": day, "occurredAt": f"2026-01-0{day}", "from": came, "into": into}
        return Message(str(value).replace("'", '"').encode())

    told = [
        change("merge", 3, ["b"], ["a"]), change("merge", 1, ["c"], ["b"]), change("merge", 2, ["y"], ["x"]),
        change("split", 4, ["a"], ["a", "d"]), change("erasure", 5, ["a"], []),
    ]  # fmt: skip

    assert [one["version"] for one in evidence.changes_of(told, "a")] == [1, 3, 4]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("email:test@example.com", "placeholder"),
        ("phone:1", "no value of its type"),
        ("shoe:44", "no type"),
        ("17850", "neither TYPE:VALUE"),
    ],
)
def test_what_can_be_nobody_s_is_refused_with_its_reason(written: str, words: str) -> None:
    with pytest.raises(Failure, match=words) as refused:
        named.identifier(written, POLICY)

    assert refused.value.exit_code == 1


def test_a_customer_id_leads_to_its_identifier_and_one_never_seen_is_noticed(shop: Memory) -> None:
    crm = _key("crm_id:17850")
    assert _key(customer_id(crm)) == crm

    _, unseen = evidence.gather(
        lambda: (Message(row, key, partition) for partition, key, row in shop.changelog), [crm, _key("crm_id:404")], POLICY
    )

    assert unseen == {_key("crm_id:404")}


def test_one_who_was_erased_is_as_one_never_seen() -> None:
    memory = _world(LIFE[:3])
    memory.erase(_key("crm_id:17850"), memory.now, 1)
    memory.run()
    wanted = [_key(one) for one in ("crm_id:17850", "email:ann@brand.co", "cookie:cookie-1", "device_id:tablet")]

    found, unseen = evidence.gather(lambda: (Message(row, key, partition) for partition, key, row in memory.changelog), wanted, POLICY)

    assert unseen == set(wanted)
    assert (found.names, found.judged.steps) == ({}, ())


def _many(count: int) -> Memory:
    life: list[Said] = [(1, "shop", "store", {"user_id": "u1", "email": "a.rather.long.name@a-rather-long-domain.example.co"})]
    kinds = ("email", "loyalty_id", "device_id", "phone", "case_id")
    for number in range(count):
        value = {"email": f"n{number}@brand.co", "phone": f"+4420794601{number:02d}"}.get(kind := kinds[number % 5], f"{kind}-{number}")
        life.append((2 + number % 20, "call centre of the north", "voice", {"user_id": "u1" if number % 3 else "u2", kind: value}))
        life.append((3 + number % 20, "shop", "store", {"email": f"n{number - number % 5}@brand.co", kind: value}))
    return _world(life)


@pytest.mark.parametrize("count", [1, 10, 25])
def test_no_two_labels_of_a_picture_overlap(count: int) -> None:
    memory = _many(count)
    found = _gather(memory, "user_id:u1", "user_id:u2")

    for one in ("user_id:u1", "user_id:u2"):
        _assert_apart(picture.person(found, found.person(_key(one))))
    why = explain.why(found.judged, _key("user_id:u1"), _key("user_id:u2"))
    _assert_apart(picture.why(found, _key("user_id:u1"), _key("user_id:u2"), why))


def _assert_apart(drawn: str) -> None:
    """Every text lies within the picture, its box on the page, and no two overlap."""
    root = ElementTree.fromstring(drawn)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    sizes = {name: int(size) for names, size in re.findall(r"((?:\.\w+,?)+)\{font-size:(\d+)px", drawn) for name in names.split(",")}
    places = []
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        size = sizes["." + text.attrib["class"]]
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        places.append((x, y - size * 0.8, x + 0.58 * size * len(text.text or ""), y + size * 0.25, text.text))
    assert len(places) > 2
    for left, top, right, bottom, words in places:
        assert 0 <= left < right <= width, words
        assert 0 <= top < bottom <= height, words
    for one, other in combinations(places, 2):
        overlap = one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        assert not overlap, (one, other)


def test_a_deep_chain_is_drawn_as_far_as_the_nearest() -> None:
    life: list[Said] = [(1 + number // 12, "shop", "store", {"loyalty_id": f"L{number}", "user_id": "u1"}) for number in range(5)]
    found = _gather(_world(life), "user_id:u1")
    phones = [bytes([4]) + number.to_bytes(15, "big") for number in range(900)]
    links = tuple(explain.Step(left, right, 1, 1, "holds", None) for left, right in pairwise(phones))
    everybody = Person(phones[0], tuple(phones), ())
    deep = found._replace(judged=explain.Judged((everybody,), links, (), frozenset()))

    drawn = picture.person(deep, everybody)

    assert drawn.count('<rect class="box') == picture.IDENTIFIERS_MAX + 1
    assert "900 identifiers, the nearest 201 of them drawn" in drawn


def test_a_picture_is_sound_xml_whatever_a_producer_sends() -> None:
    memory = _world([(1, "<shop>", "a&b", {"crm_id": '<script>"&', "email": "ann@brand.co"})])
    found = _gather(memory, "email:ann@brand.co")

    _assert_apart(picture.person(found, found.person(_key("email:ann@brand.co"))))


def test_the_readme_shows_what_is_said(shop: Memory) -> None:
    printed = _printed(shop, "crm_id:17850", "crm_id:7")
    shown = re.search(r"<!-- why:.*?-->\n(.*?)\n<!-- /why -->", README.read_text(), re.DOTALL)

    assert shown is not None
    known = re.sub(r"\bc[a-z2-7]{26}\b", "c...", printed)
    assert [line.removeprefix("    ") for line in shown.group(1).splitlines()] == known.rstrip().splitlines()
