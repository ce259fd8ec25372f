"""What is put back is what the shadow has taken, as it came, and no more."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from schemas.interaction import derived_id
from streams.replay import promote
from streams.replay.plan import Scope
from streams.replay.repair import Letters, Mended
from tests.replay.test_archive import PLAN

RECEIVED_MS = 1_772_355_600_500
VALUE = b'{"userId":"1","event":"Seen","timestamp":"2026-03-01T09:00:00Z","source":{"system":"shop"}}'
ONE = Mended(b"k", VALUE, RECEIVED_MS)
LETTERS = Letters({(0, 3): ONE, (0, 9): ONE, (1, 4): ONE}, {"bad_timestamp": 3}, {})


def test_what_the_shadow_refused_again_and_what_the_scope_leaves_out_stays() -> None:
    of = structs.replace(PLAN, scope=Scope(offsets={0: (0, 20)}, sources=("shop",)))

    chosen = promote.choose(of, LETTERS, {(0, 9): "no_identifier", (1, 4): "no_event", (0, 7): "empty"})

    assert chosen.records.keys() == {(0, 3)}
    assert chosen.refused == {"no_identifier": 1}
    assert promote.choose(structs.replace(of, scope=Scope(sources=("app",))), LETTERS, {}).records == {}


@pytest.mark.parametrize("given", [None, "2026-03-01T09:00:01Z", "nonsense"])
def test_it_is_received_when_the_broker_took_it_first_or_before(given: str | None) -> None:
    one = ONE if given is None else _received(given)

    said = msgspec.json.decode(promote.as_it_came(one, 1, 4, live=True))

    assert said["receivedAt"] == "2026-03-01T09:00:00.500Z"
    assert said["messageId"] == derived_id(1, 4) == "journey.interactions.v1-1-4"
    assert {name: said[name] for name in ("userId", "event", "timestamp")} == {
        name: msgspec.json.decode(VALUE)[name] for name in ("userId", "event", "timestamp")
    }


def _received(given: str) -> Mended:
    """The record with an instant of reception of its own."""
    return ONE._replace(value=VALUE.replace(b"{", b'{"receivedAt":"%s",' % given.encode(), 1))


def test_an_id_of_its_own_and_an_earlier_reception_stay_and_numbers_to_the_digit() -> None:
    one = ONE._replace(value=b'{"messageId":"m","receivedAt":"2026-03-01T08:00:00Z","properties":{"revenue":12.10}}')

    put = promote.as_it_came(one, 1, 4, live=True)

    assert b"12.10" in put
    assert msgspec.json.decode(put)["messageId"] == "m"
    assert msgspec.json.decode(put)["receivedAt"] == "2026-03-01T08:00:00Z"


def test_where_a_player_says_the_time_nothing_is_said_of_the_reception() -> None:
    assert "receivedAt" not in msgspec.json.decode(promote.as_it_came(ONE, 1, 4, live=False))
