"""Why a request is not taken.

The rule this module owns: whoever is refused is told so in one form, `{"code", "message"}`, and whoever may come again, in how many whole seconds.
"""

import math

import msgspec

AGAIN = frozenset({429, 503})
"""Statuses of what may be sent again as it is."""
RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 3_600


class Problem(Exception):
    """A request that cannot be taken: an HTTP status, a code for machines, a sentence for people, and when to come again (429 and 503 only)."""

    def __init__(self, status: int, code: str, message: str, retry_seconds: float = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after = min(RETRY_SECONDS_MAX, max(1, math.ceil(retry_seconds)))

    def body(self) -> bytes:
        """As the client reads it."""
        return msgspec.json.encode({"code": self.code, "message": self.message})

    def headers(self) -> dict[str, str]:
        """What goes with it: when to come again, in whole seconds."""
        return {"Retry-After": str(self.retry_after)} if self.status in AGAIN else {}
