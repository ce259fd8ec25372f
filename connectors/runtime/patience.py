"""When to try again, and when to give up: retries with jitter over hours, and a circuit breaker for each endpoint.

The rule this module owns: an endpoint that fails is left alone but for one probe at a time; a request that fails where others pass bothers none of them.
"""

from typing import Literal

from msgspec import Struct

HOUR = 3600.0


class Patience(Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds."""

    first_seconds: float = 1.0
    """After the first failure; doubled with each."""
    pause_seconds_max: float = HOUR
    """Between two attempts, at most."""
    give_up_seconds: float = 24 * HOUR
    """After the first attempt; what fails then is a dead letter."""
    retry_after_seconds_max: float = HOUR
    """What an endpoint may ask for with Retry-After, at most."""

    def pause(self, attempts: int, chance: float) -> float:
        """Seconds until the next attempt after so many in vain: from half to the whole of what doubling gives, by chance (0 to 1)."""
        whole = min(self.pause_seconds_max, self.first_seconds * 2.0 ** min(attempts - 1, 40))
        return whole * (1 + chance) / 2


class Breaker:
    """Closed, all may pass; open, none for some time, then one. Only first attempts open it: a request that had failed before says nothing new."""

    def __init__(self, failures_max: int = 5, open_seconds: float = 5.0, open_seconds_max: float = 60.0) -> None:
        self._failures_max, self._open_seconds, self._open_seconds_max = failures_max, open_seconds, open_seconds_max
        self._failures, self._opened = 0, 0
        self._until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the endpoint is only probed."""
        return self._opened > 0

    def passes(self, now: float) -> Literal["all", "one", "none"]:
        """How many requests may go out now."""
        if not self._opened:
            return "all"
        return "none" if self._probing or now < self._until else "one"

    def until(self) -> float:
        """While open: when the next probe may go out."""
        return self._until

    def probe(self) -> None:
        """The one goes out."""
        self._probing = True

    def succeeded(self) -> bool:
        """The endpoint answered; whether that closed the breaker."""
        was_open, self._failures, self._opened, self._probing = self._opened > 0, 0, 0, False
        return was_open

    def failed(self, now: float, is_first: bool, is_probe: bool) -> bool:
        """The endpoint did not take a request, at its first attempt or at a later one; whether that opened the breaker."""
        if self._opened:
            if is_probe:
                self._open(now)
            return False
        self._failures += is_first
        if self._failures < self._failures_max:
            return False
        self._open(now)
        return True

    def abandon(self) -> None:
        """The probe was never answered: its customer is another process's now."""
        self._probing = False

    def _open(self, now: float) -> None:
        self._until = now + min(self._open_seconds_max, self._open_seconds * 2.0 ** min(self._opened, 20))
        self._opened += 1
        self._probing = False
