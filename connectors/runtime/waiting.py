"""The requests in hand of one endpoint.

The rule this module owns: of one customer one request at a time is under way, the one that came first; those behind it wait until it is done with.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterator
from itertools import count

from connectors.runtime.ledger import Tried
from connectors.runtime.sinks import Request

Place = tuple[str, int]
"""A topic and one of its partitions."""
OVERHEAD_BYTES = 1_000
"""Of a request in hand, beside its body."""


class Entry:
    """A request, where its record lies, and how it went so far."""

    __slots__ = ("attempts", "due", "is_dropped", "is_under_way", "offset", "place", "request", "since")

    def __init__(self, request: Request, place: Place, offset: int, tried: Tried | None, due: float) -> None:
        self.request, self.place, self.offset = request, place, offset
        self.attempts, self.since = tried or (0, 0.0)
        self.due = due
        self.is_under_way = self.is_dropped = False

    @property
    def size(self) -> int:
        """Bytes that it takes up, roughly."""
        return len(self.request.body) + OVERHEAD_BYTES


class Waiting:
    """All of them: a queue for each customer, and the heads of the queues by when they are due."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Entry]] = {}
        self._heap: list[tuple[float, int, Entry]] = []
        self._number = count()
        self.requests = 0
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        """Behind its customer's others."""
        queue = self._queues.setdefault(entry.request.customer_id, deque())
        queue.append(entry)
        self.requests += 1
        self.bytes += entry.size
        if len(queue) == 1:
            self._show(entry)

    def due(self, now: float, most: int) -> list[Entry]:
        """Heads that are due, those first that have been so for longest; they are under way from now on."""
        found: list[Entry] = []
        while len(found) < most and self._next() is not None and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)[2]
            entry.is_under_way = True
            found.append(entry)
        return found

    def freshest(self) -> Entry | None:
        """The head that was tried least, due or not: what tells most of an endpoint that fails. It is under way from now on."""
        heads = [queue[0] for queue in self._queues.values() if not queue[0].is_under_way]
        if not heads:
            return None
        entry = min(heads, key=lambda head: (head.attempts, head.due))
        entry.is_under_way = True
        return entry

    def next_due(self) -> float | None:
        """When the next head is due."""
        return self._next()

    def done(self, entry: Entry) -> None:
        """It leaves; the next of its customer is due at once."""
        queue = self._queues[entry.request.customer_id]
        assert queue[0] is entry, "a customer's requests are done in their order"
        queue.popleft()
        self._forget(entry)
        if queue:
            self._show(queue[0])
        else:
            del self._queues[entry.request.customer_id]

    def again(self, entry: Entry, due: float) -> None:
        """It stays its customer's first, and is due later."""
        entry.due, entry.is_under_way = due, False
        self._show(entry)

    def hurry(self, by: float) -> None:
        """What was to wait for longer is due by then."""
        for entry in [queue[0] for queue in self._queues.values()]:
            if not entry.is_under_way and entry.due > by:
                self.again(entry, by)

    def drop(self, places: Collection[Place]) -> None:
        """Forget what lies on these partitions: they are another's now."""
        for customer in list(self._queues):
            queue = self._queues[customer]
            kept = deque(entry for entry in queue if entry.place not in places)
            for entry in queue:
                if entry.place in places:
                    entry.is_dropped = True
                    self._forget(entry)
            if not kept:
                del self._queues[customer]
            elif len(kept) < len(queue):
                self._queues[customer] = kept
                if kept[0] is not queue[0]:
                    self._show(kept[0])

    def tried(self) -> Iterator[Entry]:
        """Those that were tried in vain."""
        return (queue[0] for queue in self._queues.values() if queue[0].attempts)

    def _show(self, entry: Entry) -> None:
        heapq.heappush(self._heap, (entry.due, next(self._number), entry))

    def _next(self) -> float | None:
        """When the first of the heap is due, without those that have gone or moved since."""
        while self._heap:
            due, _, entry = self._heap[0]
            queue = self._queues.get(entry.request.customer_id)
            if queue and queue[0] is entry and not entry.is_under_way and entry.due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def _forget(self, entry: Entry) -> None:
        self.requests -= 1
        self.bytes -= entry.size
