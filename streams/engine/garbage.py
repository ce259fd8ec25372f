"""Python's cyclic garbage collector, kept off the hot path.

The rule: it never looks at a live row while there is work. Left on it costs a third of the throughput, since it walks every live row again and again; even
the young objects of ten seconds are half a second of walking, at whose end nothing was found. So what a batch leaves behind is frozen, which costs nothing
whatever its number; what little of it is a cycle (a producer that was discarded, an error) goes when all is looked through, every ten minutes.
"""

from __future__ import annotations

import gc
import time

ALL_SECONDS = 600.0
IDLE_SECONDS = 1.0


class Garbage:
    """Switches automatic collection off while an engine runs."""

    def __init__(self) -> None:
        self._was_enabled = gc.isenabled()
        self._all_at = self._busy_at = time.monotonic()

    def begin(self) -> None:
        """Everything that is there now stays: modules, settings, rules."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def end(self) -> None:
        """As before."""
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def between_batches(self) -> None:
        """What the batch left behind is not walked again, until it is time to look through everything."""
        self._busy_at = now = time.monotonic()
        if now - self._all_at > ALL_SECONDS:
            self._all_at = now
            gc.unfreeze()
            gc.collect()
        gc.freeze()

    def between_looks(self) -> None:
        """Called every second: where no batch has ended meanwhile, what is young is errors and connections, not rows."""
        if time.monotonic() - self._busy_at > IDLE_SECONDS:
            gc.collect()
