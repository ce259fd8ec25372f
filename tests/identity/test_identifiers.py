"""Normalising, blocking and keying."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from streams.identity.identifiers import FORMS, JUNK, Blocked, Identifier, Other, anchor, customer_id, normaliser
from streams.identity.policy import IdentifierType, Policy
from streams.journeys.identity_policy import identity_policy

POLICY = identity_policy(b"a secret of tests", "DE")
NORMALISE = normaliser(POLICY).normalise


def _value(kind: str, written: str) -> str:
    found = NORMALISE(kind, written)
    assert isinstance(found, Identifier), found
    return found.value


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("email", "  Ann.Lee+news@Shop.DE ", "ann.lee+news@shop.de"),
        ("email", "Ann.Lee+news@GMail.com", "annlee@gmail.com"),
        ("email", "a.n.n@googlemail.com", "ann@googlemail.com"),
        ("email", "ann@Bücher.de", "ann@xn--bcher-kva.de"),
        ("email", "A\u0308nne@shop.de", "\u00e4nne@shop.de"),
        ("email", "A.\u0308@gmail.com", "\u00e4@gmail.com"),
        ("email", "e.\u0327.\u0301+\u0308@gmail.com", "\u0229\u0301@gmail.com"),
        ("phone", "030 901820", "+4930901820"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
        ("phone", "0044 20 79460958", "+442079460958"),
        ("device_id", "38400000-8CF0-11BD-B23E-10B96E40000D", "38400000-8cf0-11bd-b23e-10b96e40000d"),
        ("anonymous_id", "38400000-8CF0-11BD-B23E-10B96E40000D", "38400000-8cf0-11bd-b23e-10b96e40000d"),
        ("anonymous_id", "Not-A-Uuid", "Not-A-Uuid"),
        ("user_id", " AbC ", "AbC"),
        ("user_id", "38400000-8CF0-11BD-B23E-10B96E40000D", "38400000-8CF0-11BD-B23E-10B96E40000D"),
        ("user_id", "0042", "0042"),
    ],
)
def test_a_value_has_one_form(kind: str, written: str, value: str) -> None:
    assert _value(kind, written) == value
    assert _value(kind, value) == value


@pytest.mark.parametrize(
    "written", [*sorted(JUNK), "0", "0-0", "---", "00000000-0000-0000-0000-000000000000", "NULL", '"null"', "'None'", " “guest” "]
)
@pytest.mark.parametrize("kind", ["user_id", "anonymous_id", "device_id", "crm_id", "a_type_of_no_policy"])
def test_junk_identifies_nobody(kind: str, written: str) -> None:
    assert NORMALISE(kind, written) == Blocked(kind, "junk")


@pytest.mark.parametrize("written", ["test@shop.de", "ann@example.com", "ann@mail.example.org", "ann@shop.test", "T.E.S.T@gmail.com"])
def test_an_example_address_identifies_nobody(written: str) -> None:
    assert NORMALISE("email", written) == Blocked("email", "junk")


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("email", "no address"),
        ("email", "ann@"),
        ("email", "@shop.de"),
        ("email", "a@b@shop.de"),
        ("email", "ann@shop"),
        ("email", "ann lee@shop.de"),
        ("email", "+tag@gmail.com"),
        ("email", "ann@-\u00fc.de"),
        ("phone", "12"),
        ("phone", "+49 1"),
        ("phone", "call me"),
        ("user_id", "nul\0l"),
        ("user_id", "half \ud800 a pair"),
    ],
)
def test_what_is_no_value_of_its_type_is_invalid(kind: str, written: str) -> None:
    assert NORMALISE(kind, written) == Blocked(kind, "invalid")


def test_a_value_may_have_1024_characters() -> None:
    assert isinstance(NORMALISE("user_id", "x" * 1024), Identifier)
    assert NORMALISE("user_id", "x" * 1025) == Blocked("user_id", "too_long")


def test_a_phone_without_a_country_needs_a_region() -> None:
    nowhere = normaliser(identity_policy(b"s")).normalise

    assert nowhere("phone", "030 901820") == Blocked("phone", "invalid")
    assert isinstance(nowhere("phone", "+4930901820"), Identifier)


def test_the_policy_blocks_values_and_patterns() -> None:
    kinds = tuple(structs.replace(kind, blocked_patterns=("^kiosk-",)) if kind.name == "device_id" else kind for kind in POLICY.types)
    normalise = normaliser(structs.replace(POLICY, types=kinds, blocked_values=("Till 1",), blocked_patterns=("@ourshop[.]de$",))).normalise

    assert normalise("user_id", "till 1") == Blocked("user_id", "blocked")
    assert normalise("email", "Staff@OurShop.de") == Blocked("email", "blocked")
    assert normalise("device_id", "kiosk-7") == Blocked("device_id", "blocked")
    assert isinstance(normalise("user_id", "kiosk-7"), Identifier)


def test_an_alias_is_the_same_identifier() -> None:
    assert NORMALISE("userId", "7") == NORMALISE("user_id", "7")
    assert NORMALISE("crm", "7") == NORMALISE("crm_id", "7")


def test_a_type_that_the_policy_does_not_know_is_kept_without_a_key() -> None:
    assert NORMALISE("bonus_card", " 7 ") == Other("bonus_card", "7")


def test_keys_rank_by_type_and_depend_on_the_secret() -> None:
    user, email, cookie = (NORMALISE(kind, value) for kind, value in (("user_id", "1"), ("email", "a@b.de"), ("anonymous_id", "c")))
    assert isinstance(user, Identifier) and isinstance(email, Identifier) and isinstance(cookie, Identifier)
    other = normaliser(identity_policy(b"another secret")).normalise("user_id", "1")

    assert anchor([cookie, email, user]) == user
    assert anchor([cookie, email]) == email
    assert len(user.key) == 16 and user.key[0] == 0
    assert isinstance(other, Identifier) and other.key != user.key


def test_a_customer_id_is_c_and_26_letters_and_digits() -> None:
    assert customer_id(b"\0" * 16) == "c" + "a" * 26
    assert customer_id(b"\xff" * 16) != customer_id(b"\0" * 16)


def test_values_are_normalised_once() -> None:
    fresh = normaliser(Policy(secret=b"once", types=(IdentifierType(name="user_id", strength="unique", priority=0),))).normalise

    assert fresh("user_id", "a") is fresh("user_id", "a")


@given(st.sampled_from(["user_id", "email", "phone", "device_id", "other"]), st.text(max_size=40))
def test_normalising_is_idempotent(kind: str, written: str) -> None:
    once = NORMALISE(kind, written)

    if isinstance(once, Identifier | Other):
        assert NORMALISE(kind, once.value) == once


@given(
    st.text(alphabet="aA\u00c4\u0130\u01c5\u1e9e\u03a3\u0308.+@-", max_size=12),
    st.sampled_from(["gmail.com", "Bücher.de", "ΣΑΣ.gr", "x.y", "faß.de"]),
)
@example("A.\u0308", "gmail.com")
def test_an_address_has_one_form_whatever_its_script(local: str, domain: str) -> None:
    once = FORMS["email"](f"{local}@{domain}", POLICY)

    assert once is None or FORMS["email"](once, POLICY) == once
