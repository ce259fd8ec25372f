"""How much the collector holds in memory: bodies that are still coming, and items that wait for Kafka.

The rule this module owns: whoever wants more than there is room for is told to come again, before it is held. Who has not shown a key yet gets a quarter of
it at most, so that strangers cannot keep out those who have one.
"""

from types import TracebackType
from typing import Self

from connectors.collector.problem import Problem

STRANGERS_PART = 4


class Room:
    """So many bytes in hand at once, all requests together."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.taken = 0
        self.strangers = 0
        """Of these, what is held for requests that have shown no key."""

    def share(self, known: bool) -> "Share":
        """What one request holds, nothing yet; `known`: it has shown a key. It is given back at the end of its `with`."""
        return Share(self, known)


class Share:
    """One request's part."""

    def __init__(self, room: Room, known: bool) -> None:
        self._room, self._known, self._bytes = room, known, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._add(-self._bytes)

    def more(self, count: int) -> None:
        """It holds so many more. Problem 429."""
        self.become(self._bytes + count)

    def become(self, count: int) -> None:
        """It holds so many in all. Problem 429; one request alone is always let through, else it could never pass."""
        room, grows = self._room, count - self._bytes
        others = room.taken - self._bytes
        if grows > 0 and others and room.taken + grows > room.bytes_max:
            raise Problem(429, "busy", "Too much waits for Kafka already; try again in a second.")
        if grows > 0 and not self._known and room.strangers + grows > room.bytes_max // STRANGERS_PART:
            raise Problem(429, "busy", "Too many send without a key in their headers; try again in a second.")
        self._add(grows)

    def show_key(self) -> None:
        """It was found in the body."""
        if not self._known:
            self._room.strangers -= self._bytes
            self._known = True

    def _add(self, count: int) -> None:
        self._room.taken += count
        self._bytes += count
        if not self._known:
            self._room.strangers += count
