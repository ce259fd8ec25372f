"""A worker: one process that runs the agents over its share of the partitions until it is told to stop.

It opens /metrics (Prometheus) and /health on loopback where a port is set: 200 while every partition with lag moves, else 503.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import Counter, make_wsgi_app

from schemas.metrics import METRICS
from streams import app
from streams.engine import Engine
from streams.settings import Settings


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean stop. Raises SystemExit with the reason where the engine gave up."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    engine = app.build(settings)
    engine.on_commit(_counting())
    with _Web(settings, engine):
        engine.run()
    return 0


def _counting() -> Callable[..., None]:
    counters = {metric.name: Counter(metric.name, metric.help, metric.labels) for metric in METRICS}

    def count(topic: str, partition: int, tally: dict[tuple[str, ...], int], seconds: float) -> None:
        for (name, *labels), number in tally.items():
            counter = counters[name]
            (counter.labels(*labels) if labels else counter).inc(number)

    return count


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


class _Web:
    """The two pages, served from a thread of their own."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._server: WSGIServer | None = None
        if settings.metrics_port is not None:
            pages = _pages(engine)
            self._server = make_server(settings.metrics_host, settings.metrics_port, pages, server_class=_Server, handler_class=_Quiet)

    def __enter__(self) -> None:
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
            print(f"metrics http://{self._server.server_name}:{self._server.server_port}/metrics", flush=True)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _pages(engine: Engine) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app()

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        if environ["PATH_INFO"] == "/health":
            live = engine.alive()
            partitions = {f"{topic}[{partition}]": at._asdict() for (topic, partition), at in engine.progress().items()}
            start_response("200 OK" if live else "503 Service Unavailable", [("Content-Type", "application/json")])
            return [orjson.dumps({"live": live, "ready": engine.ready(), "partitions": partitions})]
        start_response("404 Not Found", [("Content-Type", "application/json")])
        return [b'{"code":"not_found","message":"There are /metrics and /health."}']

    return page
