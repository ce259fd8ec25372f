"""Where identifiers hide."""

import pytest

from streams.intake import envelope, fields
from streams.intake.envelope import Envelope
from tests.intake.given import touch
from tests.intake.kinds import bytes_of


def said(**values: object) -> Envelope:
    read = envelope.read(bytes_of(values))
    assert isinstance(read, Envelope)
    return read


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"userId": "u"}, [("user_id", "u")]),
        ({"userId": 42}, [("user_id", "42")]),
        ({"userId": None, "anonymousId": "a"}, [("anonymous_id", "a")]),
        ({"type": "alias", "previousId": "p", "userId": "u"}, [("user_id", "u"), ("anonymous_id", "p")]),
        ({"caseId": 7, "sessionId": "s"}, [("case_id", "7"), ("session_id", "s")]),
        ({"identifiers": {"crm_id": [1, "2", None], "email": "a@b.co", "phone": None}}, [("crm_id", "1"), ("crm_id", "2"), ("email", "a@b.co")]),
        ({"traits": {"email": "a@b.co", "phone": 441632960960, "name": "Ann"}}, [("email", "a@b.co"), ("phone", "441632960960")]),
        ({"traits": {"email": ["a@b.co", "c@d.co"], "loyaltyId": "l"}}, [("email", "a@b.co"), ("email", "c@d.co"), ("loyalty_id", "l")]),
        ({"context": {"traits": {"email": "a@b.co"}}}, [("email", "a@b.co")]),
        ({"context": {"device": {"id": "d", "advertisingId": "i"}}}, [("device_id", "d"), ("device_id", "i")]),
        ({"context": {"traits": "none", "device": ["d"]}}, []),
        ({"traits": {"email": {"a": 1}, "phone": True, "crm_id": 1.5}}, []),
        ({"properties": {"email": "friend@b.co"}}, []),
        ({"conversationId": "c", "groupId": "g", "account": "acme"}, []),
        ({"type": "group", "userId": "u", "traits": {"email": "info@acme.co"}}, [("user_id", "u")]),
        ({"type": "group", "context": {"traits": {"email": "a@b.co"}}}, [("email", "a@b.co")]),
    ],
)  # fmt: skip
def test_identifiers_are_found_where_producers_put_them(values: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert fields.identifiers(said(**values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"account": "acme"}, "acme"),
        ({"account": 7}, "7"),
        ({"account": {"id": "acme", "name": "Acme"}}, "acme"),
        ({"account": None, "groupId": "g"}, "g"),
        ({"account": "acme", "groupId": "g"}, "acme"),
        ({"context": {"groupId": "c"}}, "c"),
        ({"context": {"groupId": {"id": "c"}}}, None),
        ({"account": " "}, None),
    ],
)
def test_account_is_a_text_a_number_or_an_object(values: dict[str, object], expected: str | None) -> None:
    assert fields.account(said(**values)) == expected


def test_values_are_kept_in_their_one_form() -> None:
    kept = touch(traits={"email": " Ann.B+news@GoogleMail.com", "phone": "020 7946 0958"}, context={"device": {"id": "D-1"}}).identifiers

    assert kept == (("user_id", "42"), ("email", "annb@googlemail.com"), ("phone", "+442079460958"), ("device_id", "D-1"))
