"""One connection, watched: what it may send beside a body, how long it may take, and what it hears when it goes too far.

The rule this module owns: a connection is worth a bounded number of bytes and seconds before its request is here, and one request at a time. Who is refused
here is told in the same form as everywhere; who has a request in hand gets its answer first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from connectors.collector.config import Config
from connectors.collector.problem import Problem

LOOK_SECONDS = 0.5
"""So often it is looked who takes too long."""


class Doorkeeper:
    """All connections of one server; called, it makes one, as uvicorn asks for it."""

    def __init__(self, config: Config, connections_max: int, answered: Callable[[int], None]) -> None:
        self.config, self.answered = config, answered
        self._connections_max = connections_max
        self._all: set[Connection] = set()
        self._awaited: dict[Connection, None] = {}
        """Those from which the head of a request is awaited, longest first."""
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, **options: Any) -> Connection:
        """A connection; the arguments are uvicorn's."""
        return Connection(self, **options)

    def enter(self, connection: Connection) -> None:
        """One more. Where there is no place, who was awaited longest has to go; where nobody is awaited, the new one."""
        self._all.add(connection)
        if len(self._all) > self._connections_max:
            oldest = next(iter(self._awaited), None)
            if oldest is None:
                connection.turn_away()
            else:
                oldest.late()
        if not connection.is_shut:
            self.await_head(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(LOOK_SECONDS, self._look, connection.loop)

    def leave(self, connection: Connection) -> None:
        """It has ended."""
        self._all.discard(connection)
        self._awaited.pop(connection, None)

    def await_head(self, connection: Connection) -> None:
        """It has nothing in hand; the next request may come."""
        self._awaited[connection] = None

    def await_no_more(self, connection: Connection) -> None:
        """What it wants is known, or nothing more is read from it."""
        self._awaited.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [each for each in self._all if each.due <= now]:
            connection.late()
        self._timer = loop.call_later(LOOK_SECONDS, self._look, loop) if self._all else None


class Connection(HttpToolsProtocol):
    """uvicorn's, with bounds."""

    def __init__(self, keeper: Doorkeeper, **options: Any) -> None:
        super().__init__(**options)
        self._keeper, self._bounds = keeper, keeper.config
        self.due = math.inf
        """When what is awaited (a head, a body, that the client reads its answer) has to be over, by the loop's clock."""
        self.is_shut = False
        """Nothing more is read."""
        self._busy = False
        """A request has no answer yet."""
        self._silent = False
        """An answer was given, and nothing more has come."""
        self._in_body = False
        self._goes_on = True
        """Whether the connection does, after this request. While its body comes it does, whatever was wished: who still sends reads no answer."""
        self._head_bytes = 0
        self._beside_bytes = 0
        """Of the message that comes in: what is no body, or not yet known to be."""
        self._problem: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await(self._bounds.head_seconds_max)
        self._keeper.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_shut = True
        self._keeper.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn does, but told in the collector's own form what is wrong, and no line in the log for it."""
        if self.is_shut:
            return
        self._unset_keepalive_if_required()
        if self._silent:
            self._silent = False
            self._await(self._bounds.head_seconds_max)
        self._beside_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._problem or Problem(400, "not_http", "This is no HTTP request that can be understood."))
        else:
            if self._beside_bytes > self._bounds.head_bytes_max:
                self._refuse(self._too_long())

    def on_message_begin(self) -> None:
        """Before the last request has its answer none is taken: the last one is answered, and the connection ends."""
        if self._busy:
            raise self._said(Problem(400, "one_at_a_time", "A request came before the last one had its answer."))
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._busy = self._in_body = True
        self._goes_on, self.cycle.keep_alive = self.cycle.keep_alive, True
        self._keeper.await_no_more(self)
        self._await(self._bounds.body_seconds_max)

    def on_body(self, body: bytes) -> None:
        self._beside_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._beside_bytes = 0
        self.cycle.keep_alive = self._goes_on
        super().on_message_complete()
        if self._busy:
            self._await(self._bounds.answer_seconds_max)
        elif self._goes_on:
            self._idle()
        else:
            self._end()

    def on_response_complete(self) -> None:
        self._busy = False
        super().on_response_complete()
        if self.transport.is_closing():
            self._await(self._bounds.answer_seconds_max)
        elif not self._in_body:
            self._idle()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def late(self) -> None:
        """What was awaited is not over in time."""
        if self.transport.is_closing() or (self._busy and not self._in_body):
            self.transport.abort()
        elif self._beside_bytes:
            self._refuse(Problem(408, "too_slow", "The request did not come in time."))
        else:
            self._end()

    def turn_away(self) -> None:
        """There is no place for it."""
        self._refuse(Problem(503, "too_many_connections", "There are too many connections; try again in a second."))

    def _feed(self, data: bytes) -> None:
        """Who offers another protocol, as Java's client does with its first request, is read as if it had not: the parser would leave out its body."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            method = self.parser.get_method()
            if method == b"CONNECT":
                raise httptools.HttpParserError("a tunnel") from None
            kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
            lines = b"".join(b"%s: %s\r\n" % header for header in [*kept, (b"connection", b"close")])
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, self.url, lines, data[offered.args[0] :]))

    def _idle(self) -> None:
        """The next request may come."""
        self._silent = True
        self._await(self._bounds.idle_seconds_max)
        self._keeper.await_head(self)

    def _await(self, seconds: float) -> None:
        self.due = self.loop.time() + seconds

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._bounds.head_bytes_max:
            raise self._said(self._too_long())

    def _too_long(self) -> Problem:
        return Problem(431, "headers_too_large", f"Beside its body a request has at most {self._bounds.head_bytes_max} bytes.")

    def _said(self, problem: Problem) -> Problem:
        """Raised within the parser, which says only that something was."""
        self._problem = problem
        return problem

    def _refuse(self, problem: Problem) -> None:
        if self._in_body and self.cycle.response_started:
            self._end()
        elif self._busy and not self._in_body:
            self._answer_and_end()
        else:
            self._keeper.answered(problem.status)
            body = problem.body()
            headers = {"content-type": "application/json", "content-length": len(body), "connection": "close"} | problem.headers()
            said = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
            self.transport.write(STATUS_LINE[problem.status] + said + b"\r\n" + body)
            self._end()

    def _answer_and_end(self) -> None:
        self.is_shut = True
        if self._busy:
            self.cycle.keep_alive = False
        else:
            self._end()

    def _end(self) -> None:
        self.is_shut = True
        self._keeper.await_no_more(self)
        self._await(self._bounds.answer_seconds_max)
        self.transport.close()
