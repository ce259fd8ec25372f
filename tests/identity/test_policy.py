"""A policy that can be constructed is sound."""

from typing import Any

import msgspec
import pytest

from streams.identity.policy import IdentifierType, Policy, PolicyError, ranked
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
        ("component_members_max", {"component_members_max": 1}),
        ("blocked_patterns", {"blocked_patterns": ("(",)}),
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
        ("expires_hours", {"expires_hours": 0}),
        ("expires_hours", {"expires_hours": 5, "strength": "strong"}),
        ("blocked_patterns", {"blocked_patterns": ("[",)}),
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


def test_the_shipped_policy_is_the_design_s_table() -> None:
    table = [
        (kind.name, kind.strength, kind.priority, kind.limit, kind.window_days, kind.generic_above, kind.expires_hours)
        for kind in ranked(identity_policy(b"s").types)
    ]

    assert table == [
        ("user_id", "unique", 0, 1, None, 3, None),
        ("crm_id", "unique", 1, 1, None, 3, None),
        ("email", "strong", 2, 5, 365, 3, None),
        ("loyalty_id", "strong", 3, 5, None, 3, None),
        ("phone", "strong", 4, 5, 365, 5, None),
        ("device_id", "weak", 5, 10, None, 5, None),
        ("anonymous_id", "weak", 6, 5, 30, 5, None),
        ("case_id", "weak", 7, None, None, 1, 90 * 24),
        ("session_id", "weak", 7, None, None, 1, 24),
    ]


def test_a_policy_read_from_a_file_is_checked_as_well() -> None:
    policy = identity_policy(b"s", "DE")
    written = msgspec.json.encode(policy)

    assert msgspec.json.decode(written, type=Policy) == policy
    with pytest.raises(msgspec.ValidationError, match=r"types\.email\.limit: at least 1"):
        msgspec.json.decode(
            written.replace(b'"limit":5,"window_days":365,"generic_above":3', b'"limit":0,"window_days":365,"generic_above":3'), type=Policy
        )
