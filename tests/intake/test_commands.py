"""A command's record becomes the identity protocol's messages, or a dead letter that says why."""

from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.dead_letter import DeadLetter
from schemas.metrics import BY_NAME
from streams import instants
from streams.boundary import Decision
from streams.identity import messages
from streams.identity.identifiers import Identifier, normaliser
from streams.identity.messages import Ask, Audit, Bind, Cannot, Erase, Generic, Union
from streams.intake import commands
from streams.rows import NodeKey
from tests.laws.memory import POLICY, Clock, Record

NOW = instants.parse("2026-03-02T09:00:05Z") or 0
AT = instants.parse("2026-03-02T09:00:00.000001Z") or 0
ANN = {"type": "email", "value": " Ann@Kairos.Shop"}
BEN = {"type": "crm_id", "value": "17850"}
GOOD: dict[str, Any] = {
    "id": "one",
    "kind": "cannot_link",
    "identifiers": [ANN, BEN],
    "actor": "clerk",
    "at": "2026-03-02T09:00:00.000001Z",
    "reason": "a family",
}
AUDIT = Audit("one", "clerk", "a family", AT)


def decide(*values: bytes | dict[str, Any] | None) -> Decision:
    written = [value if value is None or isinstance(value, bytes) else msgspec.json.encode(value) for value in values]
    records = [Record(b"one", value, (), NOW // 1000, 2, offset) for offset, value in enumerate(written)]
    return commands.decide(records, Clock(NOW, False), POLICY)


def key(kind: str, value: str) -> NodeKey:
    found = normaliser(POLICY).normalise(kind, value)
    assert isinstance(found, Identifier)
    return found.key


def sent(value: dict[str, Any]) -> list[tuple[bytes | None, messages.Message]]:
    decided = decide(value)
    assert {outgoing.topic for outgoing in decided.send} == {topics.IDENTITY}
    return [(outgoing.key, messages.decode(outgoing.value or b"")) for outgoing in decided.send]


@pytest.mark.parametrize(("kind", "apart"), [("cannot_link", True), ("allow_link", False)])
def test_a_pair_is_told_to_both_ends_by_normalised_keys(kind: str, apart: bool) -> None:
    both = tuple(sorted((key("email", "ann@kairos.shop"), key("crm_id", "17850"))))
    order = commands.order(AT, "one")

    assert sent(GOOD | {"kind": kind}) == [(end, Cannot((both[0], both[1]), apart, order, (), AUDIT)) for end in both]
    assert sent(GOOD | {"kind": kind, "identifiers": [BEN, ANN]}) == sent(GOOD | {"kind": kind})


def test_a_link_first_brings_the_two_together_and_then_is_told_to_both() -> None:
    both = tuple(sorted((key("email", "ann@kairos.shop"), key("crm_id", "17850"))))
    binds = [(end, Bind((both[0], both[1]), commands.order(AT, "one"), (), AUDIT, end)) for end in both]

    assert sent(GOOD | {"kind": "link"}) == [(both[1], Union(both[0], None, None)), *binds]


def test_one_identifier_is_marked_or_erased_where_it_lies() -> None:
    ann = key("email", "ann@kairos.shop")

    assert sent(GOOD | {"kind": "mark_generic", "identifiers": [ANN]}) == [
        (ann, Generic(ann, True, (), AUDIT, True, commands.order(AT, "one")))
    ]
    assert sent(GOOD | {"kind": "unmark", "identifiers": [ANN]}) == [(ann, Generic(ann, True, (), AUDIT, False, commands.order(AT, "one")))]
    assert sent(GOOD | {"kind": "export", "identifiers": [ANN]}) == [(ann, Ask(ann, (), AUDIT))]
    assert sent(GOOD | {"kind": "erase", "identifiers": [ANN]}) == [(ann, Erase(ann, AT, commands.order(AT, "one"), (), AUDIT))]


def test_the_later_command_stands_later_and_of_one_instant_the_id_decides() -> None:
    ids = [f"c{number}" for number in range(500)]

    assert max(commands.order(AT, one) for one in ids) < min(commands.order(AT + 1, one) for one in ids)
    assert len({commands.order(AT, one) for one in ids}) > 400
    assert commands.order(instants.parse("2111-12-31T00:00:00Z") or 0, "one") < 1 << 63


BAD: dict[str, tuple[str, bytes | dict[str, Any] | None]] = {
    "no value": ("empty", None),
    "no JSON": ("not_json", b"{"),
    "too large": ("too_large", b" " * (256 * 1024 + 1)),
    "too deep": ("too_deep", b"[" * 70 + b"]" * 70),
    "another kind": ("wrong_type", GOOD | {"kind": "haunt"}),
    "nobody gave it": ("wrong_type", {name: value for name, value in GOOD.items() if name != "actor"}),
    "no reason": ("wrong_type", GOOD | {"reason": "  "}),
    "no id": ("wrong_type", GOOD | {"id": ""}),
    "no instant": ("bad_timestamp", GOOD | {"at": "yesterday"}),
    "the last millennium": ("too_old", GOOD | {"at": "1999-12-31T23:59:59Z"}),
    "days ahead": ("too_far_ahead", GOOD | {"at": "2026-03-04T09:00:00Z"}),
    "one of two": ("bad_command", GOOD | {"identifiers": [ANN]}),
    "two of one": ("bad_command", GOOD | {"kind": "erase"}),
    "twice the same": ("bad_command", GOOD | {"identifiers": [ANN, {"type": "email", "value": "ann@kairos.shop"}]}),
    "an unknown type": ("bad_identifier", GOOD | {"identifiers": [ANN, {"type": "shoe", "value": "42"}]}),
    "junk": ("bad_identifier", GOOD | {"identifiers": [ANN, {"type": "crm_id", "value": "null"}]}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_command_is_a_dead_letter_and_takes_no_other_with_it(what: str) -> None:
    reason, value = BAD[what]
    decided = decide(value, GOOD)
    letters = [outgoing for outgoing in decided.send if outgoing.topic == topics.DEAD_LETTERS]
    letter = msgspec.json.decode(letters[0].value or b"", type=DeadLetter)

    assert (letter.reason, letter.topic, letter.partition, letter.offset) == (reason, topics.COMMANDS, 2, 0)
    assert len(letters) == 1
    assert "Ann" not in letter.detail
    assert len(decided.send) == 3
    assert decided.tally == {
        ("kairos_commands_read",): 2,
        ("kairos_commands_dead", reason): 1,
        ("kairos_commands_sent", "cannot_link"): 1,
    }
    assert all(len(BY_NAME[name].labels) == len(labels) for name, *labels in decided.tally)
