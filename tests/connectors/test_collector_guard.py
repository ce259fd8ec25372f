"""The collector among people who wish it ill, or whose clients are broken: each hears in one form what is wrong, and none of them stops the others."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.doors import SECONDS_MAX, Alone, request, until_end

HEAD_SECONDS, BODY_SECONDS = 0.5, 0.5
LOADED_SECONDS = 15.0
"""What a busy machine may need to come to it."""
ALLOWED = "https://shop.example"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    bounds: dict[str, Any] = {
        "head_seconds_max": SECONDS_MAX,
        "body_seconds_max": SECONDS_MAX,
        "idle_seconds_max": 1,
        "head_bytes_max": 8_192,
    }
    with Alone(tmp_path_factory.mktemp("alone"), connections_max=50, origins=(ALLOWED,), **bounds) as door:
        yield door


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """It soon waits no longer; a busy machine would be too slow for it with all that the others ask."""
    bounds: dict[str, Any] = {"head_seconds_max": HEAD_SECONDS, "body_seconds_max": BODY_SECONDS, "idle_seconds_max": 1}
    with Alone(tmp_path_factory.mktemp("hasty"), **bounds) as door:
        yield door


def said(answer: bytes) -> tuple[int, str]:
    """Status and code; the last of what came is one whole answer in the collector's form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert told.keys() == {"code", "message"} and told["message"]
    return int(head.split()[1]), told["code"]


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "two lengths": request("POST", "/v1/t", "Content-Length: 2", "Content-Length: 3", body=b"{}"),
    "two lengths in one": request("POST", "/v1/t", "Content-Length: 2, 2", body=b"{}"),
    "a length with a sign": request("POST", "/v1/t", "Content-Length: +2", body=b"{}"),
    "a length and chunks": request("POST", "/v1/t", "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunks and a length": request("POST", "/v1/t", "Transfer-Encoding: chunked", "Content-Length: 4", body=b"0\r\n\r\n"),
    "chunks that are none": request("POST", "/v1/t", "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunks said twice": request("POST", "/v1/t", "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "a space before the colon": request("POST", "/v1/t", "Content-Length : 2", body=b"{}"),
    "a header on two lines": request("GET", "/healthz", "X: a", " b"),
    "a zero in a header": request("GET", "/healthz", "X: a\0b"),
    "line feeds alone": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "a chunk of negative size": request("POST", "/v1/t", "Transfer-Encoding: chunked", body=b"-2\r\n{}\r\n0\r\n\r\n"),
    "a path beyond ASCII": "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "a tunnel": request("CONNECT", "kafka:9092"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
"""What a proxy in front might read otherwise than the collector does, and what is no HTTP at all."""


@pytest.mark.parametrize("name", MALFORMED)
def test_what_could_be_read_in_two_ways_is_not_read(alone: Alone, name: str) -> None:
    assert said(alone.heard(MALFORMED[name])) == (400, "not_http")


@pytest.mark.parametrize(
    "sent",
    [
        request("GET", "/healthz", "X: " + "a" * 9_000),
        request("GET", "/" + "a" * 9_000),
        request("GET", "/healthz", *(f"X{number}: a" for number in range(2_000))),
        b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 9_000,
        request("POST", "/v1/t", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\nX: " + b"a" * 9_000),
        request("POST", "/v1/t", "Transfer-Encoding: chunked", body=b"2;" + b"a" * 9_000),
    ],
    ids=["one header", "the path", "many headers", "a header without an end", "behind the body", "a chunk's name"],
)
def test_beside_its_body_a_request_is_small(alone: Alone, sent: bytes) -> None:
    assert said(alone.heard(sent)) == (431, "headers_too_large")


@pytest.mark.parametrize("sent", [b"GET /he", b"\r\n", request("GET", "/healthz")[:-2]], ids=["a word", "an empty line", "all but the end"])
def test_who_does_not_come_to_the_end_of_the_headers_is_not_waited_for(hasty: Alone, sent: bytes) -> None:
    with hasty.connection() as connection:
        connection.sendall(sent)
        began = time.monotonic()
        answer = _drip(connection, b"" if sent == b"\r\n" else b"a")

    assert said(answer) == (408, "too_slow")
    assert HEAD_SECONDS / 2 < time.monotonic() - began < HEAD_SECONDS + LOADED_SECONDS


def test_who_does_not_come_to_the_end_of_the_body_is_not_waited_for(hasty: Alone) -> None:
    with hasty.connection() as connection:
        connection.sendall(request("POST", "/v1/t", f"X-Write-Key: {hasty.key}", "Content-Length: 1000"))
        began = time.monotonic()
        answer = _drip(connection, b" ")

    assert said(answer) == (408, "too_slow")
    assert BODY_SECONDS / 2 < time.monotonic() - began < BODY_SECONDS + LOADED_SECONDS


def _drip(connection: socket.socket, drop: bytes) -> bytes:
    """Something every fifth of a second, until there is an answer."""
    connection.settimeout(0.2)
    give_up = time.monotonic() + SECONDS_MAX
    while time.monotonic() < give_up:
        try:
            first = connection.recv(65_536)
        except TimeoutError:
            connection.sendall(drop)
            continue
        connection.settimeout(SECONDS_MAX)
        return first + (until_end(connection) if first else b"")
    raise AssertionError("it waits for ever")


def test_a_connection_that_says_nothing_ends(hasty: Alone) -> None:
    with hasty.connection() as silent:
        assert until_end(silent) == b""
    with hasty.connection() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert until_end(idle).count(b"HTTP/1.1 200") == 1


def test_those_who_only_hold_a_connection_give_way_to_those_who_ask(alone: Alone) -> None:
    held = [alone.connection() for _ in range(49)]
    for connection in held[:30]:
        connection.sendall(b"GET /")
    assert alone.heard(request("GET", "/healthz")).startswith(b"HTTP/1.1 200"), "and what was sent before is read by now"
    held += [alone.connection() for _ in range(11)]

    for _ in range(20):
        assert alone.heard(request("GET", "/healthz")).startswith(b"HTTP/1.1 200")
    assert until_end(held[0]).startswith(b"HTTP/1.1 408"), "who has begun is told"
    for connection in held:
        connection.close()


def test_where_all_have_a_request_in_hand_the_next_is_told_to_come_again(tmp_path: Path) -> None:
    with Alone(tmp_path, connections_max=5) as door:
        held = [door.connection() for _ in range(5)]
        for connection in held:
            connection.sendall(request("POST", "/v1/t", f"X-Write-Key: {door.key}", "Content-Length: 10", "Expect: 100-continue"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 "), "it is being read"
        with door.connection() as one_more:
            answer = until_end(one_more)
        for connection in held:
            connection.close()

    assert said(answer) == (503, "too_many_connections")
    assert b"Retry-After: 1\r\n" in answer


@pytest.mark.parametrize("wish", ["close", "keep-alive"])
def test_who_reads_no_answer_before_all_is_sent_hears_it_then(alone: Alone, wish: str) -> None:
    body = b" " * (alone.config.body_bytes_max + 1)
    head = f"POST /v1/t HTTP/1.1\r\nHost: a\r\nConnection: {wish}\r\nX-Write-Key: {alone.key}\r\nContent-Length: {len(body)}\r\n\r\n"

    assert said(alone.heard(head.encode() + body)) == (413, "body_too_large")


def test_one_request_at_a_time(alone: Alone) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

    assert alone.heard(asked * 1_000).count(b"HTTP/1.1 ") == 1


def test_who_offers_another_protocol_is_heard_in_this_one(alone: Alone) -> None:
    body = b'{"userId": "u", "writeKey": "wk_nobody"}'
    sent = [
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n",
        b"Content-Length: %d\r\n\r\n" % len(body),
        body[:10],
        body[10:],
    ]

    with alone.connection() as connection:
        for part in sent:
            connection.sendall(part)
            time.sleep(0.05)
        answer = until_end(connection)

    assert said(answer) == (401, "invalid_write_key"), "the body was read: there was a key in it"


@pytest.mark.parametrize(("origin", "status"), [(ALLOWED, 401), ("https://other.example", 403), ("null", 403), (None, 401)])
def test_a_page_of_another_origin_may_not_send_even_where_browsers_do_not_ask(alone: Alone, origin: str | None, status: int) -> None:
    origins = [] if origin is None else [f"Origin: {origin}"]
    answer = alone.heard(request("POST", "/v1/t", "Content-Type: text/plain", "Content-Length: 2", *origins, body=b"{}"))

    assert said(answer)[0] == status
    assert (f"access-control-allow-origin: {origin}".encode() in answer) == (origin == ALLOWED)


def test_browsers_ask_first_and_hear_in_the_same_form(alone: Alone) -> None:
    asked = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type"]

    assert b" 200 OK" in alone.heard(request("OPTIONS", "/v1/t", f"Origin: {ALLOWED}", *asked))
    assert said(alone.heard(request("OPTIONS", "/v1/t", "Origin: https://other.example", *asked))) == (403, "not_for_this_page")


@pytest.mark.parametrize("host", ["", "[", "a b", "a/b", "evil@shop", "a:b"])
def test_settings_say_only_a_host_that_is_one(alone: Alone, host: str) -> None:
    path = f"/v1/projects/{alone.key}/settings"

    answer = alone.heard(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

    assert said(answer) == (400, "no_host")


def test_settings_name_where_browsers_reach_it(tmp_path: Path) -> None:
    with Alone(tmp_path, public_url="https://collect.brand.co") as door:
        answer = door.heard(request("GET", f"/v1/projects/{door.key}/settings"))

    segment = json.loads(answer.partition(b"\r\n\r\n")[2])["integrations"]["Segment.io"]
    assert (segment["protocol"], segment["apiHost"]) == ("https", "collect.brand.co/v1")
