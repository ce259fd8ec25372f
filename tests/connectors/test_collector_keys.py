"""Who is let in, and how fast; nothing of a key is kept but its hash."""

from __future__ import annotations

import time
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from connectors.collector import keys, mapping
from connectors.collector.problem import RETRY_SECONDS_MAX, Problem


class Clock:
    """A time that stands still until told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return keys.file_of(tmp_path / "data")


def test_a_key_is_kept_as_its_hash_where_its_owner_alone_reads(path: Path) -> None:
    made = keys.create(path, "web", "2026-11-22T12:00:00Z")

    assert made not in path.read_text() and made[12:] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.Door(path).enter(made).source == "web"
    assert made != keys.create(path, "web", "2026-11-22T12:00:00Z")


@pytest.mark.parametrize("told", [None, "", "wk_", "wk_unknown"])
def test_nobody_else_is_let_in(path: Path, told: str | None) -> None:
    keys.create(path, "web", "2026-11-22T12:00:00Z")

    with pytest.raises(Problem) as caught:
        keys.Door(path).enter(told)

    assert (caught.value.status, caught.value.code) == (401, "invalid_write_key")


def test_a_new_key_is_known_and_a_revoked_one_forgotten_after_a_second(path: Path) -> None:
    clock = Clock()
    door = keys.Door(path, clock)
    made = keys.create(path, "web", "2026-11-22T12:00:00Z")
    other = keys.create(path, "shop", "2026-11-22T12:00:00Z")

    with pytest.raises(Problem):
        door.enter(made)
    clock.now += 1
    assert door.enter(made).source == "web"
    assert [key.source for key in keys.revoke(path, made)] == ["web"]
    clock.now += 1
    with pytest.raises(Problem):
        door.enter(made)
    assert door.enter(other).source == "shop"
    assert keys.revoke(path, "wk_") == []


def test_a_key_is_found_wherever_clients_put_it() -> None:
    basic = "Basic " + b64encode(b"wk_1:").decode()

    assert keys.shown({"authorization": basic, "x-write-key": "wk_3"}) == "wk_1"
    assert keys.shown({"authorization": "Basic ???", "x-write-key": "wk_3"}) == keys.shown({"x-write-key": "wk_3"}) == "wk_3"
    for nothing in (
        {},
        {"authorization": "Basic /w=="},
        {"authorization": "Bearer wk_1"},
        {"authorization": "Basic \xff"},
        {"x-write-key": ""},
    ):
        assert keys.shown(nothing) is None
    assert [mapping.write_key(mapping.read(b'{"%s": "wk_2"}' % name)[1]) for name in (b"writeKey", b"api_key")] == ["wk_2", "wk_2"]


def test_a_key_may_send_so_many_items_a_second_and_twice_as_many_after_a_silence(path: Path) -> None:
    clock = Clock()
    made = keys.create(path, "web", "2026-11-22T12:00:00Z", events_per_second=100)
    door = keys.Door(path, clock)
    key = door.enter(made)

    def spend(count: int) -> int | None:
        try:
            door.spend(key, count)
        except Problem as problem:
            return problem.status
        return None

    assert [spend(150), spend(50), spend(1)] == [None, None, 429]
    clock.now += 0.5
    assert [spend(51), spend(50), spend(1)] == [429, None, 429]
    clock.now += 60
    assert [spend(1_000), spend(1)] == [None, 429], "a batch larger than it ever may send at once passes, and is paid for"
    clock.now += 9
    assert [spend(10), spend(90)] == [None, None]


def test_a_damaged_file_says_which_and_what_to_do(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("{")

    with pytest.raises(keys.Damaged, match=r"keys\.json cannot be read: .*make all keys anew"):
        keys.Door(path)

    with pytest.raises(keys.Damaged):
        keys.load(path.parent)


def test_while_the_file_is_damaged_nobody_is_let_in_and_then_everybody_is(path: Path) -> None:
    clock = Clock()
    made = keys.create(path, "web", "2026-11-22T12:00:00Z")
    door, whole = keys.Door(path, clock), path.read_bytes()

    path.write_bytes(whole[:-9])
    clock.now += keys.LOOK_SECONDS
    for _ in range(3):
        with pytest.raises(Problem) as caught:
            door.enter(made)
        assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "keys_unreadable", 1)
        assert str(path) not in caught.value.message

    path.write_bytes(whole)
    assert door.enter(made).source == "web"


def test_a_whole_key_is_revoked_alone_even_where_others_begin_as_it_does(path: Path) -> None:
    made = keys.create(path, "web", "2026-11-22T12:00:00Z")
    (key,) = keys.load(path)
    twin = msgspec.structs.replace(key, hash="0" * 64, source="twin")
    path.write_bytes(msgspec.json.encode([key, twin]))

    assert keys.revoke(path, made[:-1] + "?") == []
    assert [each.source for each in keys.revoke(path, made)] == ["web"]
    assert [each.source for each in keys.revoke(path, f"{key.hint}...")] == ["twin"]


@pytest.mark.parametrize(("rate", "count", "seconds"), [(100, 150, 1), (10, 25, 3), (0.5, 2, 4), (0.0001, 1, RETRY_SECONDS_MAX)])
def test_who_sends_too_fast_hears_in_whole_seconds_when_it_may(path: Path, rate: float, count: int, seconds: int) -> None:
    clock = Clock()
    made = keys.create(path, "web", "2026-11-22T12:00:00Z", events_per_second=rate)
    door = keys.Door(path, clock)
    key = door.enter(made)
    door.spend(key, count)

    with pytest.raises(Problem) as caught:
        door.spend(key, count)
    assert caught.value.headers() == {"Retry-After": str(seconds)}
    if seconds < RETRY_SECONDS_MAX:
        clock.now += seconds
        door.spend(key, count)


def test_requests_without_items_are_not_free(path: Path) -> None:
    made = keys.create(path, "web", "2026-11-22T12:00:00Z", events_per_second=1)
    door = keys.Door(path, Clock())

    door.spend(door.enter(made), 0)
    door.spend(door.enter(made), 0)
    with pytest.raises(Problem):
        door.spend(door.enter(made), 0)


def test_ten_thousand_keys_are_looked_up_as_fast_as_one(path: Path) -> None:
    made = keys.create(path, "web", "2026-11-22T12:00:00Z")
    (key,) = keys.load(path)
    many = [msgspec.structs.replace(key, hash=sha256(b"%d" % number).hexdigest(), source=f"s{number}") for number in range(10_000)]
    path.write_bytes(msgspec.json.encode([*many, key]))

    began = time.process_time()
    door = keys.Door(path)
    read = time.process_time() - began
    for _ in range(1_000):
        door.enter(made)
    entered = time.process_time() - began - read

    assert door.enter(made).source == "web"
    assert (read, entered) < (1.0, 0.1)
