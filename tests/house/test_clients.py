"""The lock of the clients that npm carries: every one with its hash, none with an address."""

from __future__ import annotations

import json

from tests.house.source import TOP

LOCK = TOP / "tests" / "system" / "clients" / "node" / "package-lock.json"


def test_every_client_is_locked_with_its_hash_and_no_address() -> None:
    packages = json.loads(LOCK.read_bytes())["packages"]

    assert [name for name, found in packages.items() if name and "integrity" not in found] == []
    assert "://" not in LOCK.read_text()
