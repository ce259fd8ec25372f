"""A collector within the tests' own process, with no Kafka behind it and bounds that are soon reached; and raw connections to it."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry

from connectors.collector import keys, server
from connectors.collector.config import Config

SECONDS_MAX = 60.0
NOWHERE = "127.0.0.1:1"
"""No Kafka listens there."""


class Alone:
    """A server in a thread; `key` is a write key of it."""

    def __init__(self, directory: Path, **bounds: Any) -> None:
        self.keys = keys.file_of(directory)
        self.key = keys.create(self.keys, "web", "2026-11-22T12:00:00Z")
        self.config = Config(bootstrap=NOWHERE, topic="nowhere", **{"delivery_seconds_max": 0.5, **bounds})
        self._listens = threading.Event()
        self.port = 0
        self._server = server.made(self.config, keys.Door(self.keys), "127.0.0.1", 0, self._tell, CollectorRegistry())
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(SECONDS_MAX), "it does not listen"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(SECONDS_MAX)
        assert not self._thread.is_alive(), "it does not stop"

    def connection(self) -> socket.socket:
        """One, with nothing sent."""
        return socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX)

    def heard(self, sent: bytes) -> bytes:
        """All that comes back until the collector ends the connection."""
        with self.connection() as connection:
            connection.sendall(sent)
            return until_end(connection)

    def _tell(self, _: str, port: int) -> None:
        self.port = port
        self._listens.set()


def until_end(connection: socket.socket) -> bytes:
    """All that still comes."""
    found, give_up = b"", time.monotonic() + SECONDS_MAX
    while part := connection.recv(65_536):
        found += part
        assert time.monotonic() < give_up, "it does not end"
    return found


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """As it goes over the wire, after which the connection is to be closed; headers beside those that say so are the caller's."""
    lines = [f"{method} {path} HTTP/1.1", "Host: collect.example", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
