"""Python's cyclic garbage collector, kept off the hot path.

The rule: it never runs inside a batch. Left on it costs a third of the throughput, since it walks every live row again and again. Young objects are looked
through every ten seconds, between batches, when most rows of that time have been replaced and are gone; all objects every ten minutes.
"""

from __future__ import annotations

import gc
import time

YOUNG_SECONDS = 10.0
ALL_SECONDS = 600.0


class Garbage:
    """Switches automatic collection off while an engine runs."""

    def __init__(self) -> None:
        self._was_enabled = gc.isenabled()
        self._young_at = self._all_at = time.monotonic()

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
        """Look through what is young, if it is time."""
        now = time.monotonic()
        if now - self._all_at > ALL_SECONDS:
            self._all_at = self._young_at = now
            gc.collect()
        elif now - self._young_at > YOUNG_SECONDS:
            self._young_at = now
            gc.collect(1)
