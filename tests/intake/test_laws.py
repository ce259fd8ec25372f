"""Laws over generated records: nothing raises, each record has one outcome, and whatever is let through can be read downstream."""

import json
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import money, topics
from schemas.interaction import Interaction
from streams import rows
from tests.intake.given import LIVE, REPLAY, Record, decide, event_of, letter_of

GOOD = {"userId": "42", "event": "Order Completed", "timestamp": "2026-03-01T09:00:00Z"}
NAMES = [field.encode_name for field in msgspec.structs.fields(Interaction)]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = st.text(max_size=8) | st.sampled_from(["id", "email", "amount", "device", "traits"])
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
PLAUSIBLE = {
    "userId": st.one_of(st.text(max_size=5), st.integers(), JSON),
    "event": st.one_of(st.just("Order Completed"), st.text(max_size=5), JSON),
    "timestamp": st.one_of(st.datetimes().map(str), st.integers(), st.just("2026-03-01T09:00:00Z"), JSON),
    "sentAt": st.one_of(st.datetimes().map(str), st.none()),
    "type": st.one_of(st.sampled_from(["track", "identify", "page", "group", "alias"]), JSON),
    "value": st.fixed_dictionaries({"amount": st.integers() | st.decimals().map(str) | st.floats(), "currency": st.just("GBP")}),
    "identifiers": st.dictionaries(st.sampled_from(["crm_id", "email", "phone", "x"]), JSON, max_size=4),
    "properties": st.dictionaries(st.text(max_size=5), JSON, max_size=4),
}
INTERACTIONS = st.builds(
    lambda base, plausible, wild: base | plausible | wild,
    st.sampled_from([{}, GOOD, GOOD, GOOD]),
    st.fixed_dictionaries({}, optional=PLAUSIBLE),
    st.dictionaries(st.text(max_size=6) | st.sampled_from(NAMES), JSON, max_size=2),
)
VALUES = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    INTERACTIONS.map(lambda value: json.dumps(value).encode()),
    INTERACTIONS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
HEADERS = st.lists(st.tuples(st.sampled_from(["traceparent", "kairos-time", "kairos-refused", "x"]), st.binary(max_size=60)), max_size=2)
RECORDS = st.builds(
    Record,
    VALUES,
    HEADERS.map(tuple) | st.just(()),
    st.none() | st.binary(max_size=20),
    st.integers(min_value=-1, max_value=2**62),
    st.integers(min_value=0, max_value=63),
    st.integers(min_value=0, max_value=2**62),
)


@settings(max_examples=1_000, deadline=None)
@given(RECORDS, st.sampled_from([LIVE, REPLAY]))
def test_no_record_raises_and_each_has_one_outcome(record: Record, clock: Any) -> None:
    decision = decide(record, clock=clock)

    if record.headers and any(outgoing.partition is not None for outgoing in decision.send):
        assert len(decision.send) == 4
        return
    if not decision.send:
        assert clock == LIVE
        assert "kairos-time" in dict(record.headers)
        assert decision.tally == {("kairos_times_dropped",): 1}
        return
    (outgoing,) = decision.send
    if outgoing.topic == topics.DEAD_LETTERS:
        assert letter_of(outgoing).reason
    else:
        touch = rows.decode_touch(event_of(outgoing).touch)
        rows.payload(touch.payload)
        assert touch.payload == record.value
        assert touch.amount is None or money.parse(touch.amount) is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=6))
def test_batch_decides_as_its_records_would_alone(records: list[Record]) -> None:
    together = decide(*records)
    alone = [decide(record) for record in records]

    assert together.send == [outgoing for decision in alone for outgoing in decision.send]
    assert together == decide(*records)
    for name, count in together.tally.items():
        assert count == sum(decision.tally.get(name, 0) for decision in alone)


def numbers(node: object) -> list[Decimal | int]:
    if isinstance(node, dict):
        return [number for value in node.values() for number in numbers(value)]
    if isinstance(node, list):
        return [number for value in node for number in numbers(value)]
    return [node] if isinstance(node, Decimal | int) else []


@settings(max_examples=500, deadline=None)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,80})(\.[0-9]{1,80})?([eE][+-]?[0-9]{1,12})?", fullmatch=True))
def test_number_that_is_let_through_can_be_computed_with(literal: str) -> None:
    value = json.dumps(GOOD)[:-1] + f', "properties": {{"scores": [{literal}]}}}}'

    (outgoing,) = decide(Record(value.encode())).send

    if outgoing.topic == topics.DEAD_LETTERS:
        assert letter_of(outgoing).reason == "bad_number"
        assert len(literal) > 64 or "e" in literal.lower()
    else:
        for number in numbers(rows.payload(rows.decode_touch(event_of(outgoing).touch).payload).properties):
            assert abs(Decimal(number).adjusted()) <= 400
            assert len(format(Decimal(number), "f")) < 1_000


@settings(max_examples=300, deadline=None)
@given(INTERACTIONS)
def test_contract_takes_all_that_intake_takes(fields: dict[str, Any]) -> None:
    value = json.dumps(fields).encode()

    (outgoing,) = decide(Record(value)).send

    if outgoing.topic == topics.IDENTITY:
        msgspec.json.decode(value, type=Interaction)
