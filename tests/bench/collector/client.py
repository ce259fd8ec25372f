"""A client that costs little: `python -m tests.bench.collector.client`, told by a line of JSON what to send, answers by one with how long each request took.

The rule this module owns: at a rate, the times at which requests are due are fixed before the first is sent, and a delay counts from there.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections import deque

import msgspec

BODIES = 50
"""So many different ones are sent in turn."""
_LENGTH = b"content-length: "


class Order(msgspec.Struct, frozen=True):
    """What is to be sent; a `rate` of requests a second, 0 is one after the other on every connection."""

    port: int
    key: str
    batch: int
    connections: int
    rate: float
    seconds: float


class Sent(msgspec.Struct, frozen=True):
    """How it went: seconds of each request, in the order in which they were due; how long it all took."""

    took: list[float]
    seconds: float
    refused: int
    """Answers that were not 200."""


def body(number: int, batch: int) -> bytes:
    """A batch of items of some 400 bytes each, as a client of Segment's writes them."""
    items = [
        {
            "type": "track",
            "event": "Product Viewed",
            "userId": f"user-{(number * batch + each) % 20_000}",
            "messageId": f"bench-{number:06d}-{each:06d}-3f0a8c1e-8d7d-4f5e",
            "timestamp": "2026-11-22T12:00:00.000Z",
            "properties": {
                "sku": "85123A",
                "price": "2.55",
                "currency": "GBP",
                "category": "home",
                "position": each,
                "list": "best sellers",
            },
            "context": {"library": {"name": "bench", "version": "1"}, "page": {"url": "https://shop.example/p/85123A"}, "locale": "en-GB"},
            "integrations": {},
        }
        for each in range(batch)
    ]
    return msgspec.json.encode({"batch": items, "sentAt": "2026-11-22T12:00:00.100Z"})


class Connection(asyncio.Protocol):
    """One, with one request in hand at a time."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._heard = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        """One request, which was due then."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, rest = self._heard.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.index(_LENGTH) + len(_LENGTH)
        if len(rest) >= int(head[at:].split(b"\r\n", 1)[0]):
            self._heard = b""
            self._sending.answered(self, head.startswith(b"HTTP/1.1 200 "), self._due)


class Sending:
    """All connections of one order."""

    def __init__(self, order: Order) -> None:
        self._order, self._loop = order, asyncio.get_running_loop()
        basic = b64encode(f"{order.key}:".encode()).decode()
        head = f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\nContent-Type: application/json\r\nContent-Length: "
        bodies = [body(number, order.batch) for number in range(BODIES)]
        self._requests = [f"{head}{len(each)}\r\n\r\n".encode() + each for each in bodies]
        self._idle: deque[Connection] = deque()
        self._late: deque[float] = deque()
        """When requests were due that have no connection yet."""
        self._took: list[float] = []
        self._sent = self._refused = 0
        self._over = asyncio.Event()

    async def connect(self) -> None:
        for _ in range(self._order.connections):
            _, connection = await self._loop.create_connection(lambda: Connection(self), "127.0.0.1", self._order.port)
            self._idle.append(connection)

    async def send(self) -> Sent:
        """Until the time is over, and all is answered."""
        began = self._loop.time()
        self._until = began + self._order.seconds
        if self._order.rate:
            self._fall_due(began, 0)
        else:
            while self._idle:
                self._next(self._idle.pop(), self._loop.time())
        await self._over.wait()
        return Sent(self._took, self._loop.time() - began, self._refused)

    def answered(self, connection: Connection, taken: bool, due: float) -> None:
        now = self._loop.time()
        self._took.append(now - due)
        self._refused += not taken
        if self._late:
            self._next(connection, self._late.popleft())
        elif not self._order.rate and now < self._until:
            self._next(connection, now)
        else:
            self._idle.append(connection)
            self._end_if_over(now)

    def _next(self, connection: Connection, due: float) -> None:
        connection.send(self._requests[self._sent % BODIES], due)
        self._sent += 1

    def _fall_due(self, began: float, number: int) -> None:
        """Those whose time has come; then again when the next one's does."""
        now = self._loop.time()
        while (due := began + number / self._order.rate) <= now and due < self._until:
            if self._idle:
                self._next(self._idle.popleft(), due)
            else:
                self._late.append(due)
            number += 1
        if due < self._until:
            self._loop.call_at(due, self._fall_due, began, number)
        else:  # All may be answered already.
            self._loop.call_at(self._until, self._end_if_over, self._until)

    def _end_if_over(self, now: float) -> None:
        if now >= self._until and len(self._idle) == self._order.connections:
            self._over.set()


async def _perform(order: Order) -> Sent:
    sending = Sending(order)
    await sending.connect()
    return await sending.send()


def main() -> None:
    """One order after the other, until there is none."""
    for line in sys.stdin:
        sent = asyncio.run(_perform(msgspec.json.decode(line, type=Order)))
        print(msgspec.json.encode(sent).decode(), flush=True)


if __name__ == "__main__":
    main()
