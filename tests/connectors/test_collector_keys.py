"""Who is let in, and how fast; nothing of a key is kept but its hash."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from msgspec import Raw

from connectors.collector import keys
from connectors.collector.mapping import Problem


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

    assert keys.named({"authorization": basic}, {}) == "wk_1"
    assert keys.named({"authorization": basic}, {"writeKey": Raw(b'"wk_2"')}) == "wk_1"
    assert keys.named({"x-write-key": "wk_3"}, {}) == "wk_3"
    assert keys.named({}, {"writeKey": Raw(b'"wk_2"')}) == keys.named({}, {"api_key": Raw(b'"wk_2"')}) == "wk_2"
    assert keys.named({"authorization": "Basic ???"}, {"writeKey": Raw(b"7")}) is None
    assert keys.named({"authorization": "Bearer wk_1"}, {}) is None


def test_a_key_may_send_so_many_items_a_second_and_twice_as_many_after_a_silence(path: Path) -> None:
    clock = Clock()
    made = keys.create(path, "web", "2026-11-22T12:00:00Z", events_per_second=100)
    door = keys.Door(path, clock)
    key = door.enter(made)

    def spend(count: int) -> int | None:
        try:
            door.spend(key, count, 1)
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
