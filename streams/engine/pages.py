"""Large pages for the memory that live rows fill.

The rule: only what is in use nearly whole is moved into large pages, a little at a time, between batches. A worker spends its time on objects strewn over
hundreds of megabytes; with pages of 4 KiB the processor keeps looking up where they are, in a virtual machine twice over. Python's arenas are too small to
be given large pages when they are made, and the kernel's own search for candidates takes minutes (madvise(2), MADV_COLLAPSE, Linux 6.1).
"""

from __future__ import annotations

import ctypes
import errno
import re
import time
from collections.abc import Iterator
from pathlib import Path

PAGE_BYTES = 2 << 20
PART_BYTES = 4096
"""What mincore(2) answers for."""
IN_USE_MIN = 460
"""Of the 512 parts of a page so many are in memory already: less would be filled with what nobody asked for, a thread's stack for example."""
PAGES_MAX = 8
"""So many at a time, for each takes up to two milliseconds."""
LOOK_SECONDS = 1.0
_COLLAPSE = 25
_MAPS = Path("/proc/self/maps")
_ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *(\[heap\])?$", re.MULTILINE)


class Pages:
    """Moves what this process holds into large pages, as long as the kernel knows how to."""

    def __init__(self) -> None:
        self.large: set[int] = set()
        """Where those lie that were moved."""
        self.waiting: list[int] = []
        """Where those lie that are to be moved."""
        self.is_able = _MAPS.exists()
        self._advise = getattr(ctypes.CDLL(None, use_errno=True), "madvise", None)
        self._look = getattr(ctypes.CDLL(None), "mincore", None)
        self._looked_at = time.monotonic()

    def between_batches(self) -> None:
        """Move a few; look for more every second."""
        if not self.waiting:
            now = time.monotonic()
            if now - self._looked_at < LOOK_SECONDS:
                return
            self._looked_at = now
            self.look()
        self.move()

    def look(self) -> None:
        """Find what is in use nearly whole and not in a large page yet."""
        if not self.is_able or self._advise is None or self._look is None:
            return
        found = set(_aligned())
        self.large &= found
        self.waiting = [start for start in found - self.large if self._in_use(start) >= IN_USE_MIN]

    def move(self) -> None:
        """Move some of what was found; what cannot be moved now is found again."""
        some, self.waiting = self.waiting[:PAGES_MAX], self.waiting[PAGES_MAX:]
        self.large.update(start for start in some if self._moved(start))

    def _in_use(self, start: int) -> int:
        parts = ctypes.create_string_buffer(PAGE_BYTES // PART_BYTES)
        assert self._look is not None
        found = self._look(ctypes.c_void_p(start), ctypes.c_size_t(PAGE_BYTES), parts)
        return parts.raw.count(b"\1") if found == 0 else 0

    def _moved(self, start: int) -> bool:
        assert self._advise is not None
        if self._advise(ctypes.c_void_p(start), ctypes.c_size_t(PAGE_BYTES), _COLLAPSE) == 0:
            return True
        if ctypes.get_errno() == errno.EINVAL:  # A kernel that does not know how.
            self.is_able, self.waiting = False, []
        return False


def _aligned() -> Iterator[int]:
    """The places in this process's own memory where a large page fits."""
    for begin, end, _ in _ANONYMOUS.findall(_MAPS.read_text()):
        first = -(-int(begin, 16) // PAGE_BYTES) * PAGE_BYTES
        yield from range(first, int(end, 16) - PAGE_BYTES + 1, PAGE_BYTES)
