"""Memory that is in use goes into large pages, other memory does not."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import pytest

from streams.engine import pages
from streams.engine.pages import PAGE_BYTES, Pages


def in_large_pages_bytes() -> int:
    found = re.search(r"AnonHugePages:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text())
    return int(found[1]) * 1024 if found is not None else 0


def looked() -> Pages:
    found = Pages()
    found.look()
    return found


def test_what_is_filled_is_moved_and_what_is_reserved_is_not() -> None:
    before = looked()
    filled, reserved = mmap.mmap(-1, 40 * PAGE_BYTES, mmap.MAP_PRIVATE), mmap.mmap(-1, 40 * PAGE_BYTES, mmap.MAP_PRIVATE)
    filled.write(b"x" * (40 * PAGE_BYTES))
    held = in_large_pages_bytes()

    after = looked()
    found = len(after.waiting) - len(before.waiting)
    while after.waiting:
        after.move()

    if not Path("/proc/self/maps").exists():
        assert found == 0
    elif after.is_able:
        assert 30 <= found <= 45, "the filled map, not the reserved one"
        assert in_large_pages_bytes() - held >= 30 * PAGE_BYTES
    assert filled[:1] == b"x"
    reserved.close()
    filled.close()


def test_what_was_moved_is_not_moved_again() -> None:
    filled = mmap.mmap(-1, 20 * PAGE_BYTES, mmap.MAP_PRIVATE)
    filled.write(b"x" * (20 * PAGE_BYTES))
    moved = looked()
    while moved.waiting:
        moved.move()

    moved.look()

    assert len(moved.waiting) <= 2 or not moved.is_able
    filled.close()


def test_a_kernel_that_cannot_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_COLLAPSE", 9999)
    filled = mmap.mmap(-1, 20 * PAGE_BYTES, mmap.MAP_PRIVATE)
    filled.write(b"x" * (20 * PAGE_BYTES))
    refused = looked()
    assert refused.waiting or not refused.is_able
    refused.move()
    refused.move()

    refused.look()

    assert not refused.waiting
    filled.close()
