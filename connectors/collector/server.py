"""The collector served over HTTP until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from connectors.collector.app import application
from connectors.collector.config import Config
from connectors.collector.keys import Door

STOP_SECONDS_MAX = 15
"""Requests in hand are answered first; Kafka's answer takes no longer than Config.delivery_seconds_max."""
_REQUESTS_WAITING_MAX = 2048


class _Told(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._tell = tell

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a stop that was asked for is no death by signal."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port, *_ = self.servers[0].sockets[0].getsockname()
            self._tell(host, port)


def serve(config: Config, door: Door, host: str, port: int, tell: Callable[[str, int], None], **options: Any) -> bool:
    """Until SIGTERM or Ctrl-C; `tell(host, port)` once it listens. False where it could not begin (the port is taken: standard error says so)."""
    server = _Told(
        uvicorn.Config(
            application(config, door),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            http="httptools",
            loop="asyncio",
            ws="none",
            server_header=False,
            backlog=_REQUESTS_WAITING_MAX,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
            **options,
        ),
        tell,
    )
    server.run()
    return server.started
