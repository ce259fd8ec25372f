"""The C heap, told to give back what it need not keep.

The rule: what is large and lives for a batch (a fetch, a packed batch, a memtable's block) comes from the system and goes back to it, so that holes in the heap
do not add up to memory that nobody uses. By itself glibc raises its limit for that at every large block that is freed, and makes eight heaps a core.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""
LARGE_BYTES = 4 << 20
"""Smaller blocks stay in the heap: to map, grow and unmap each (a fetch grows a dozen times) takes a quarter of the engine's CPU in the reference work."""
TRIM_BYTES = 16 << 20
HEAPS_MAX = 2


def settle() -> bool:
    """Set the limits for this process; False where the C library has none (musl, macOS)."""
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is None:
        return False
    limits = {_MMAP_THRESHOLD: LARGE_BYTES, _TRIM_THRESHOLD: TRIM_BYTES, _ARENA_MAX: HEAPS_MAX}
    return min(change(parameter, limit) for parameter, limit in limits.items()) == 1
