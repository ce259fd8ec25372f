"""The collector served over HTTP until it is told to stop."""

from __future__ import annotations

import gc
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from prometheus_client import REGISTRY, CollectorRegistry

from connectors.collector.app import Collector
from connectors.collector.config import Config
from connectors.collector.guard import Doorkeeper
from connectors.collector.keys import Door

STOP_SECONDS_MAX = 8
"""Requests in hand are answered first, as far as that takes no longer; then they are told to send again."""
_REQUESTS_WAITING_MAX = 2048
_FILES_BESIDE = 128
"""Open files that are no connections: Kafka's, the log, Python's own."""


class Told(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._tell = tell

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a stop that was asked for is no death by signal."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # What is here to stay is not looked through again while requests wait.
            host, port, *_ = self.servers[0].sockets[0].getsockname()
            self._tell(host, port)


def serve(config: Config, door: Door, host: str, port: int, tell: Callable[[str, int], None]) -> bool:
    """Until SIGTERM or Ctrl-C; `tell(host, port)` once it listens. False where it could not begin (the port is taken: standard error says so)."""
    server = made(config, door, host, port, tell)
    with suppress(SystemExit):  # With a code of uvicorn's own.
        server.run()
    return server.started


def made(
    config: Config, door: Door, host: str, port: int, tell: Callable[[str, int], None], registry: CollectorRegistry = REGISTRY
) -> Told:
    """The server, to be run; it stops when its `should_exit` is set, too."""
    collector = Collector(config, door, registry)
    keeper: Any = Doorkeeper(config, min(config.connections_max, _files_max() - _FILES_BESIDE), collector.answered)
    return Told(
        uvicorn.Config(
            collector.application(),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            http=keeper,
            loop="asyncio",
            ws="none",
            server_header=False,
            backlog=_REQUESTS_WAITING_MAX,
            timeout_keep_alive=config.idle_seconds_max,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        ),
        tell,
    )


def _files_max() -> int:
    """How many files may be open, after asking for as many as this process may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize
