"""A customer is found by any identifier in any form, by an id or its beginning, and over redirects."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from streams.cli import customer, portrait
from streams.cli.customer import Found, NotFound
from streams.customer import aged, emissions, guards
from streams.customer.emissions import Emission, Kept
from streams.customer.guards import Court
from streams.customer.state import FoldRow, State, encode_row
from streams.customer.timeline import held, insert
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.rows import FOLD, TIMELINE, Touch, encode_touch
from streams.settings import Settings
from tests.cli import values
from tests.cli.values import ANN, BOB, ZOE, Message
from tests.customer.memory import Clock, MemoryRows

CARTS = ("one", "two", "late")
PROFILES = {
    ANN: orjson.dumps(values.profile(ANN, identifiers={"crm_id": ["17850"], "email": ["ann@brand.co"]})),
    BOB: orjson.dumps(values.profile(BOB, identifiers={"crm_id": ["7"], "device_id": ["tv"]})),
    ZOE: orjson.dumps(values.profile(ZOE, identifiers={}, mergedInto=BOB)),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.mark.parametrize("written", ["crm_id:17850", "email:ann@brand.co", "email: Ann@Brand.CO ", ANN, ANN[:10], ANN.upper()])
def test_a_customer_is_found_by(written: str, settings: Settings) -> None:
    found = customer.find(PROFILES, written, settings)

    assert isinstance(found, Found)
    assert (found.profile["customerId"], found.path) == (ANN, [ANN])


def test_a_merged_customer_leads_to_the_one_that_holds(settings: Settings) -> None:
    found = customer.find(PROFILES, ZOE, settings)

    assert isinstance(found, Found)
    assert (found.profile["customerId"], found.path) == (BOB, [ZOE, BOB])


def test_a_redirect_to_one_who_was_erased_says_so(settings: Settings) -> None:
    left = {ZOE: orjson.dumps(values.profile(ZOE, identifiers={}, mergedInto=BOB))}

    assert customer.find(left, ZOE, settings) == NotFound(
        f"{ZOE} was merged into {BOB}, of whom nothing is held any more: erased, or not yet published."
    )


def test_redirects_in_a_circle_end(settings: Settings) -> None:
    circle = {ANN: orjson.dumps(values.profile(ANN, mergedInto=BOB)), BOB: orjson.dumps(values.profile(BOB, mergedInto=ANN))}

    assert isinstance(customer.find(circle, ANN, settings), Found)


@pytest.mark.parametrize(
    ("written", "said"), [("crm_id:8", "Nobody is known by crm_id:8"), ("17850", "TYPE:VALUE"), ("c", "names 2 customers")]
)
def test_nobody_and_several_say_what_to_try(written: str, said: str, settings: Settings) -> None:
    found = customer.find(PROFILES, written, settings)

    assert isinstance(found, NotFound)
    assert said in found.why


def test_the_newest_profile_counts_and_a_deleted_one_is_gone() -> None:
    messages = [Message(b"old", b"a"), Message(b"new", b"a"), Message(b"x", b"b"), Message(None, b"b")]

    assert customer.newest_profiles(messages) == {"a": b"new"}


def test_a_timeline_unites_the_fragments_in_order_and_counts_an_id_once(settings: Settings) -> None:
    from streams import app

    normal = normaliser(app.policy_of(settings))
    crm, mail, other = (normal.normalise(kind, name) for kind, name in (("crm_id", "17850"), ("email", "ann@brand.co"), ("crm_id", "9")))
    assert isinstance(crm, Identifier) and isinstance(mail, Identifier) and isinstance(other, Identifier)

    def row(anchor: Identifier, uid: bytes, occurred_at: int) -> Message:
        touch = Touch(uid.decode(), "shop", occurred_at, 0, "track", "Order Completed", "web", "shop", (), b"{}")
        return Message(encode_touch(touch), TIMELINE.tag + anchor.key + uid.ljust(16, b"\0"))

    gone = row(crm, b"gone", 1)
    rows = MemoryRows()
    insert(rows, crm.key, b"c".ljust(16, b"\0"), row(crm, b"c", 2).value or b"")
    aged.take(rows, held(rows, [crm.key]))
    (older,) = [Message(value, key) for key, value in rows.stored.items()]
    changelog = [older, row(mail, b"b", 20), row(crm, b"a", 30), row(crm, b"b", 10), row(other, b"x", 5), gone, gone._replace(value=None)]

    timeline = customer.timeline(changelog, orjson.loads(PROFILES[ANN]), settings)

    assert [(touch.id, touch.occurred_at) for touch in timeline.touches] == [("b", 10), ("a", 30)]
    assert timeline.older == 1


def test_the_verdicts_on_a_customers_moments_are_counted(settings: Settings) -> None:
    from streams import app

    crm = normaliser(app.policy_of(settings)).normalise("crm_id", "17850")
    assert isinstance(crm, Identifier)
    said = [
        Emission("moment", name, "cart", "v", "", 0, 0, name, None, (name,), False, expires_at=9 if name != "late" else -1)
        for name in CARTS
    ]
    amended = emissions.amend(Kept(), said, complete=True)
    court = Court(Clock(5, replayed=True), 0, {"cart": 3})
    _, kept = guards.passed(amended.records, amended.kept, court, {})
    row = FoldRow("r", 1, 0, None, State(), emissions.encode(kept))
    profile = values.profile(customer_id(crm.key), identifiers={"crm_id": ["17850"]})

    timeline = customer.timeline([Message(encode_row(row), FOLD.tag + b"p" + crm.key)], profile, settings)

    assert timeline.moments == {"cart": {"fired": 1, "suppressed": 1, "expired": 1}}
    assert "fired 1" in portrait._moment({"count": 3, "last": "2026-01-01T00:00:00Z"}, timeline.moments["cart"]).plain


def test_a_portrait_says_how_to_speak_to_a_customer_and_which_systems_are_silent() -> None:
    shown = {label: str(text) for label, text in portrait._rows(values.profile(), {})}

    assert (shown["language"], shown["time zone"]) == ("fr", "")
    assert shown["heard from"] == "app 2011-11-02 10:00, shop 2011-03-01 09:00"
