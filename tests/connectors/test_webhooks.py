"""Webhooks without a network: what goes out as what, how it is signed, what an answer means, which addresses may be met, what a wrong file is told."""

from __future__ import annotations

import json
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from standardwebhooks import Webhook

from connectors.runtime.sinks import Request
from connectors.webhooks import config
from connectors.webhooks.addresses import Private, is_public, public_socket
from connectors.webhooks.config import Endpoint, Wrong
from connectors.webhooks.mapping import Mapping
from connectors.webhooks.sink import answered, signed
from schemas import topics
from schemas.identity_change import IdentityChange
from schemas.output import Subject
from schemas.record import encode
from tests.connectors.outputs import ANN, AT, moment, output, profile, segment, stage

SECRET = "whsec_" + "A" * 32
OTHER = "whsec_" + "B" * 32
ALL = tuple(config.TOPICS)
PRIVATE = """127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1
::1 :: fe80::1 fc00::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1"""


def request(said: Struct | None, topic: str = topics.MOMENTS, **endpoint: Any) -> Request | None:
    return Mapping(Endpoint(url="https://a.example", secrets=("env:S",), **{"topics": ALL, **endpoint})).request(output(said, topic))


def kind(said: Struct | None, topic: str = topics.MOMENTS, **endpoint: Any) -> str | None:
    found = request(said, topic, **endpoint)
    return None if found is None else json.loads(found.body)["type"]


def test_a_request_holds_the_output_as_it_lies_on_its_topic() -> None:
    said = moment()

    found = request(said)

    assert found is not None
    assert (found.id, found.customer_id) == ("cart-1-1", ANN)
    assert json.loads(found.body) == {"type": "moment.fired", "timestamp": AT, "data": json.loads(encode(said))}
    assert encode(said) in found.body
    assert (found.decided_at, found.expires_at) == (1_795_348_800_000_000, 4_070_908_800_000_000)


@pytest.mark.parametrize(
    ("fields", "type_of"),
    [
        ({}, "moment.fired"),
        ({"status": "suppressed", "reason": "cap"}, None),
        ({"status": "deferred", "reason": "cap"}, None),
        ({"status": "expired", "reason": "expired"}, None),
        ({"status": "retracted", "retracts": "cart-1"}, "moment.retracted"),
        ({"status": "retracted", "retracts": "cart-1", "reason": "cap"}, None),
        ({"replayed": True}, None),
        ({"status": "retracted", "retracts": "cart-1", "replayed": True}, None),
    ],
)
def test_only_what_was_released_goes_out_and_is_taken_back(fields: dict[str, Any], type_of: str | None) -> None:
    assert kind(moment(**fields)) == type_of


def test_a_retraction_goes_out_whenever_and_what_is_told_to_go_out_does() -> None:
    retraction, expired = request(moment(status="retracted", retracts="cart-1")), request(moment(), expired=True)

    assert retraction is not None
    assert expired is not None
    assert retraction.expires_at is expired.expires_at is None
    assert kind(moment(replayed=True), replayed=True) == "moment.fired"
    assert kind(moment(status="suppressed", reason="cap"), expired=True, replayed=True) is None


def test_every_topic_has_its_types() -> None:
    change = IdentityChange(
        Subject("person", ANN),
        ANN,
        1,
        1,
        "",
        False,
        AT,
        None,
        AT,
        "v",
        [],
        id="x",
        kind="merge",
        from_=["c1"],
        into=["c2"],
        version=1,
        message_id=None,
    )

    assert [
        kind(stage(), topics.STAGES),
        kind(stage(retracts="s-1"), topics.STAGES),
        kind(segment(), topics.SEGMENTS),
        kind(segment(entered=False), topics.SEGMENTS),
        kind(segment(retracts="g-1"), topics.SEGMENTS),
        kind(profile(), topics.PROFILES),
        kind(profile(merged_into="c2"), topics.PROFILES),
        kind(None, topics.PROFILES),
        kind(change, topics.IDENTITY_CHANGES),
        kind(None, topics.MOMENTS),
    ] == [
        "stage.changed",
        "stage.retracted",
        "segment.entered",
        "segment.left",
        "segment.retracted",
        "profile.changed",
        "profile.merged",
        "profile.ended",
        "identity.merge",
        None,
    ]
    ended = request(None, topics.PROFILES)
    assert ended is not None
    assert json.loads(ended.body)["data"] == {"customerId": ANN}


def test_an_endpoint_hears_only_of_the_moments_and_segments_it_names() -> None:
    named = {"moments": ("cart",), "segments": ("vip",)}

    assert [kind(moment(name), **named) for name in ("cart", "other")] == ["moment.fired", None]
    assert [kind(segment(name), topics.SEGMENTS, **named) for name in ("vip", "other")] == ["segment.entered", None]
    assert kind(stage(), topics.STAGES, **named) == "stage.changed"
    assert Mapping(Endpoint(url="https://a.example", secrets=("env:S",))).topics == (topics.MOMENTS,)


def test_both_secrets_sign_while_one_is_rotated() -> None:
    asked = Request("id-1", ANN, '{"name":"Zoë"}'.encode())

    headers = signed([Webhook(SECRET), Webhook(OTHER)], asked, time.time())

    assert headers["webhook-id"] == "id-1"
    assert [Webhook(secret).verify(asked.body, headers) for secret in (SECRET, OTHER)] == [{"name": "Zoë"}] * 2
    assert len(headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    ("status", "retry_after", "kind_of", "seconds"),
    [
        (200, None, "delivered", 0.0),
        (204, "9", "delivered", 0.0),
        (302, None, "failed", 0.0),
        (401, None, "failed", 0.0),
        (410, None, "gone", 0.0),
        (422, None, "refused", 0.0),
        (429, None, "throttled", 0.0),
        (429, "7", "throttled", 7.0),
        (429, "soon", "throttled", 0.0),
        (500, None, "failed", 0.0),
        (500, "-1", "failed", 0.0),
        (503, "120", "throttled", 120.0),
        (503, "Sun, 22 Nov 2026 12:00:30 GMT", "throttled", 30.0),
        (503, "Sun, 22 Nov 2026 11:00:00 GMT", "throttled", 0.0),
    ],
)
def test_an_answer_means_what_its_status_says(status: int, retry_after: str | None, kind_of: str, seconds: float) -> None:
    outcome = answered(status, retry_after, lambda: 1_795_348_800.0)

    assert (outcome.kind, outcome.retry_after_seconds) == (kind_of, seconds)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_an_address_of_ones_own_network_is_refused_just_before_it_is_connected_to(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(Private):
        public_socket((2, 1, 6, "", (address, 443)))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_an_address_of_the_internet_is_not(address: str) -> None:
    assert is_public(ip_address(address))


GOOD = 'url = "https://a.example"\nsecrets = ["env:S"]\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "missing required field `url`"),
        (GOOD + 'colour = "red"', "unknown field `colour`"),
        (GOOD + 'topics = ["everything"]', "there is no topic 'everything'; there are: moments, stages, segments, profiles, changes"),
        (GOOD + 'topics = ["stages"]\nmoments = ["cart"]', "moments are named, and its topics have no 'moments'"),
        (f'url = "https://a.example"\nsecrets = ["{SECRET}"]', "never written into this file"),
        ('url = "https://a.example"\nsecrets = ["env:NOT_THERE"]', "NOT_THERE is not set"),
        ('url = "https://a.example"\nsecrets = ["file:nowhere"]', "nowhere cannot be read"),
        ('url = "https://a.example"\nsecrets = ["env:SHORT"]', "env:SHORT holds no secret"),
        ('url = "https://a.example"\nsecrets = ["env:PLAIN"]', "env:PLAIN holds no secret"),
        ('url = "https://a.example"\nsecrets = []', "length >= 1"),
        ('url = "https://a.example"\nsecrets = ["env:S", "env:S", "env:S"]', "length <= 2"),
        ('url = "http://a.example"\nsecrets = ["env:S"]', "shows customers' data to the network"),
        ('url = "https://127.0.0.1/x"\nsecrets = ["env:S"]', "127.0.0.1 is a private address"),
        ('url = "https://[::1]/x"\nsecrets = ["env:S"]', "::1 is a private address"),
        ('url = "ftp://a.example"\nsecrets = ["env:S"]', "has to begin with https://HOST"),
        ('url = "https://ann:pw@a.example"\nsecrets = ["env:S"]', "a user or a password"),
        ('url = "https://a.example:port"\nsecrets = ["env:S"]', "its url is none"),
        (GOOD + "concurrency = 0", ">= 1"),
        (GOOD + "retry_hours = 0", "> 0"),
    ],
)
def test_a_wrong_endpoint_is_told_by_its_name_and_without_its_secret(table: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text(f"[endpoints.crm]\n{table}")

    with pytest.raises(Wrong) as wrong:
        config.load(path, {"S": SECRET, "SHORT": "whsec_QUJD", "PLAIN": "correct horse battery staple"})

    assert str(wrong.value).startswith(f"{path}: endpoint crm: ")
    assert said in str(wrong.value)
    assert not any(hidden in str(wrong.value) for hidden in (SECRET, "QUJD", "horse"))


@pytest.mark.parametrize("text", ["", "[endpoints]", "endpoints = 3", "[other.crm]\nurl = 1", "nonsense", "[endpoints.Crm]\n" + GOOD])
def test_a_file_that_holds_no_endpoints_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text(text)

    with pytest.raises(Wrong):
        config.load(path, {"S": SECRET})


def test_secrets_and_addresses_come_from_the_environment_or_from_files(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    (tmp_path / "old").write_text(OTHER + "\n")
    path.write_text('[endpoints.crm]\nurl = "env:URL"\nsecrets = ["env:S", "file:old"]')

    (target,) = config.load(path, {"S": SECRET, "URL": "https://a.example/token"})

    assert (target.url, target.secrets) == ("https://a.example/token", (SECRET, OTHER))
    assert SECRET not in repr(target) + msgspec.json.encode(target.endpoint).decode()
