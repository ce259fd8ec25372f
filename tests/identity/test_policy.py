"""A policy that can be constructed is sound."""

from typing import Any

import msgspec
import pytest

from streams.identity.identifiers import Blocked, Identifier, normaliser
from streams.identity.policy import IdentifierType, Policy, PolicyError, ranked, read
from streams.journeys.identity_policy import TYPES, identity_policy

GOOD: dict[str, Any] = {"name": "thing", "strength": "weak", "priority": 9}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("secret", {"secret": b""}),
        ("secret", {"secret": b"x" * 65}),
        ("types", {"types": ()}),
        ("contested", {"contested": "oldest"}),
        ("default_region", {"default_region": "Germany"}),
        ("default_region", {"default_region": "XX"}),
        ("component_members_max", {"component_members_max": 1}),
        ("blocked_patterns", {"blocked_patterns": ("(",)}),
        ("blocked_patterns", {"blocked_patterns": (".*",)}),
        ("blocked_values", {"blocked_values": (" ",)}),
        ("blocked_values", {"blocked_values": ["n/a"]}),
        ("owner", {"owner": None}),
        ("component_members_max", {"component_members_max": "many"}),
        ("component_size_max", {"component_size_max": 1}),
        ("component_size_max", {"component_size_max": 12_001}),
    ],
)
def test_an_error_names_the_field(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=f"^{field}: "):
        Policy(**{"secret": b"s", "types": TYPES, **wrong})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("strength", {"strength": "solid"}),
        ("form", {"form": "number"}),
        ("priority", {"priority": -1}),
        ("limit", {"limit": 0}),
        ("window_days", {"limit": 1, "window_days": 0}),
        ("window_days", {"window_days": 30}),
        ("generic_above", {"generic_above": 0}),
        ("neighbours_max", {"neighbours_max": 0}),
        ("neighbours_max", {"neighbours_max": 4_001}),
        ("expires_hours", {"expires_hours": 0}),
        ("expires_hours", {"expires_hours": 5, "strength": "strong"}),
        ("blocked_patterns", {"blocked_patterns": ("[",)}),
        ("blocked_patterns", {"blocked_patterns": ("",)}),
        ("blocked_values", {"blocked_values": ("",)}),
        ("aliases", {"aliases": ("Käfig",)}),
        ("aliases", {"aliases": "card"}),
        ("trusted_sources", {"trusted_sources": ("crm", " ")}),
        ("trusted_sources", {"trusted_sources": ["crm"]}),
        ("nobodys_if_contested", {"nobodys_if_contested": True, "strength": "strong"}),
        ("limit", {"limit": "5"}),
        ("priority", {"priority": 1.5}),
    ],
)
def test_an_error_in_a_type_names_the_type_and_the_field(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=rf"^types\.thing\.{field}: "):
        Policy(secret=b"s", types=(IdentifierType(**{**GOOD, **wrong}),))


def test_a_name_or_an_alias_is_taken_once() -> None:
    with pytest.raises(PolicyError, match=r"^types\.card: the name thing is taken"):
        Policy(secret=b"s", types=(IdentifierType(**GOOD), IdentifierType(name="card", strength="weak", priority=9, aliases=("thing",))))


def test_what_is_trusted_more_comes_first() -> None:
    with pytest.raises(PolicyError, match=r"^types: by priority, unique"):
        Policy(secret=b"s", types=(IdentifierType(name="login", strength="unique", priority=10), IdentifierType(**GOOD)))


def test_the_shipped_policy_is_this_table() -> None:
    table = [
        (kind.name, kind.strength, kind.priority, kind.limit, kind.window_days, kind.generic_above, kind.expires_hours)
        for kind in ranked(identity_policy(b"s").types)
    ]

    assert table == [
        ("user_id", "unique", 0, 1, None, 3, None),
        ("crm_id", "unique", 1, 1, None, 3, None),
        ("email", "strong", 2, 5, 365, 2, None),
        ("loyalty_id", "strong", 3, 5, None, 2, None),
        ("phone", "strong", 4, 5, 365, 2, None),
        ("device_id", "weak", 5, 10, None, 2, None),
        ("anonymous_id", "weak", 6, 5, 30, 2, None),
        ("case_id", "weak", 7, None, None, 1, 90 * 24),
        ("session_id", "weak", 7, None, None, 1, 24),
    ]


def test_a_policy_read_from_a_file_is_checked_as_well() -> None:
    policy = identity_policy(b"s", "DE")
    written = msgspec.json.encode(policy)

    assert msgspec.json.decode(written, type=Policy) == policy
    with pytest.raises(msgspec.ValidationError, match=r"types\.email\.limit: at least 1"):
        msgspec.json.decode(
            written.replace(b'"limit":5,"window_days":365,"generic_above":2', b'"limit":0,"window_days":365,"generic_above":2'), type=Policy
        )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"colour": "red"}, r"^colour: is unknown"),
        ({"types": None}, r"^types: Expected"),
        ({"contested": "oldest"}, r"^contested: "),
        ({"secret": "x"}, r"^secret: "),
        ({"types": [{"name": "card", "strength": "weak"}]}, r"^types\.card\.priority: is missing"),
        ({"types": [{"strength": "weak", "priority": 1}]}, r"^types\.0\.name: is missing"),
        ({"types": [{**GOOD, "limits": 3}]}, r"^types\.thing\.limits: is unknown"),
        ({"types": [{**GOOD, "limit": "3"}]}, r"^types\.thing\.limit: Expected"),
        ({"types": [{**GOOD, "limit": 0}]}, r"^types\.thing\.limit: at least 1"),
        ({"types": [{**GOOD, "form": "number"}]}, r"^types\.thing\.form: "),
        ({"types": [GOOD, {**GOOD, "name": "other", "aliases": ["thing"]}]}, r"^types\.other: the name thing is taken"),
    ],
)
def test_a_policy_that_was_written_as_data_is_told_the_field_that_is_wrong(wrong: dict[str, Any], told: str) -> None:
    said = {"types": [GOOD], **wrong}

    with pytest.raises(PolicyError, match=told):
        read(said, b"s")


def test_a_policy_is_read_as_it_was_written() -> None:
    policy = identity_policy(b"s", "DE")
    said = msgspec.to_builtins(policy)
    del said["secret"]

    assert read(said, b"s") == policy


@pytest.mark.parametrize("junk", ["none@none.com", "kunde@kunde.de", "noemail@web.de", "asdf@gmail.com", "test@shop.de", "NoReply@shop.de"])
def test_what_broken_forms_send_for_an_address_is_nobody_s(junk: str) -> None:
    assert isinstance(normaliser(identity_policy(b"s")).normalise("email", junk), Blocked)


@pytest.mark.parametrize(
    "good", ["nona@none.com", "ann.keine@web.de", "test.mann@shop.de", "info@shop.de", "anna@anna-shop.de", "noel@mail.org"]
)
def test_an_address_that_only_looks_like_junk_is_somebody_s(good: str) -> None:
    assert isinstance(normaliser(identity_policy(b"s")).normalise("email", good), Identifier)


@pytest.mark.parametrize("junk", ["N/A", "(not set)", "unknown", "User", "default"])
def test_what_tags_send_for_nobody_is_nobody_s_login(junk: str) -> None:
    assert isinstance(normaliser(identity_policy(b"s")).normalise("user_id", junk), Blocked)
