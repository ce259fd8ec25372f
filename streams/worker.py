"""A worker: one process that runs the agents over its share of the partitions until it is told to stop.

It says in a line when it is ready and in a line how it ended, in words or as JSON; it never outlasts its signal by more than STOP_SECONDS_MAX, Kafka or not.
It opens /metrics (Prometheus), /healthz, /readyz and /health on loopback where a port is set. Alive: every partition with work moves; nothing else, for a new
process would not do better. Ready: there is a Kafka, and every partition of this worker hands out batches.
"""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from socketserver import ThreadingMixIn
from time import monotonic, time_ns
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import disable_created_metrics, make_wsgi_app

from streams import app, instants
from streams.dials import Dials
from streams.engine import Engine, EngineError, leaving
from streams.settings import Settings

STOP_SECONDS_MAX = 12.0
HUNG_SECONDS_MAX = STOP_SECONDS_MAX + 2
"""Then it is ended without words: what hangs leaves it no time to say any."""
GONE_SECONDS_MAX = 5.0
"""So long a stop may take where no Kafka answers: nothing can be committed any more."""
PATIENCE_SECONDS = 10.0
"""While a worker starts, its Kafka client finds its way; what it says before this is no news."""
READY_LOOK_SECONDS = 0.1
CLIENT_LOGGERS = ("aiokafka", "faust", "mode", "kafka")


Answer = tuple[bool, Mapping[str, object]]
"""Whether it holds (200, else 503), and what is said of it."""
Kind = Literal["waiting", "metrics", "ready", "stopped", "error", "log"]
"""What a line of a worker is about."""


class Voice:
    """How a worker speaks to whoever started it: a line on standard error at a time, in words, or with `as_json` as a JSON object.

    Such an object has `at` (RFC 3339), `kind` and `text`, and what else there is to say, by name.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def say(self, kind: Kind, text: str, **facts: object) -> None:
        """Say something; `facts` are for a machine alone."""
        if self.as_json:
            text = orjson.dumps({"at": instants.text(time_ns() // 1000), "kind": kind, "text": text, **facts}).decode()
        else:
            text = _OPENINGS.get(kind, "") + text
        print(text, file=sys.stderr, flush=True)


_OPENINGS: Mapping[Kind, str] = {"metrics": "metrics ", "ready": "ready: ", "stopped": "stopped: ", "error": "Error: "}


class WorkerEnded(Exception):
    """It could not go on, or not stop as it should; the text says why and what becomes of its work."""


def run(settings: Settings, voice: Voice | None = None) -> None:
    """Run until SIGTERM or SIGINT; raises WorkerEnded where it did not come to an orderly end."""
    voice = voice or Voice()
    quiet = _Quiet()
    _log_through(quiet, voice)
    engine = app.build(settings)
    disable_created_metrics()
    engine.on_commit(Dials(lambda: _held(engine)).count)
    with _Web(settings, engine, voice), _Limit(voice) as limit:
        asyncio.run(_live(engine, settings, voice, quiet, limit))
    voice.say("stopped", "all that was begun is committed")


async def _live(engine: Engine, settings: Settings, voice: Voice, quiet: "_Quiet", limit: "_Limit") -> None:
    told = asyncio.Event()
    leaving.hear(told.set, HUNG_SECONDS_MAX, 1)
    telling = asyncio.create_task(told.wait())
    running = asyncio.create_task(_start_and_wait(engine, settings, voice, quiet))
    await asyncio.wait({telling, running}, return_when=asyncio.FIRST_COMPLETED)
    reason = running.exception() if running.done() else None
    running.cancel()
    telling.cancel()
    quiet.begin_stop()
    gone = reason is None and not await asyncio.to_thread(_answers, settings.bootstrap)
    seconds = GONE_SECONDS_MAX if gone else STOP_SECONDS_MAX
    words = _words(reason, settings.bootstrap, gone)
    limit.begin(seconds + 1, words)
    stopped = False
    with suppress(TimeoutError):
        stopped = await asyncio.wait_for(engine.stop(), seconds)
    if reason is not None or gone or not stopped:  # Without a Kafka nobody can say that all was committed, however quick the end.
        raise WorkerEnded(words) from reason


async def _start_and_wait(engine: Engine, settings: Settings, voice: Voice, quiet: "_Quiet") -> None:
    await engine.start()
    announcing = asyncio.create_task(_announce(engine, settings, voice, quiet))
    try:
        await engine.wait()
    finally:
        announcing.cancel()


async def _announce(engine: Engine, settings: Settings, voice: Voice, quiet: "_Quiet") -> None:
    """Say once that all partitions which came here are being worked on."""
    while not engine.ready():
        await asyncio.sleep(READY_LOOK_SECONDS)
    quiet.is_starting = False
    held = len({partition for _, partition in engine.progress()})
    words = f"{held} of {settings.partitions} partitions, group {settings.app_id}, broker {settings.bootstrap}"
    voice.say("ready", words, partitions=held, of=settings.partitions, group=settings.app_id, broker=settings.bootstrap)


def _words(reason: BaseException | None, bootstrap: str, gone: bool) -> str:
    """How it ended, for a person."""
    if isinstance(reason, EngineError):
        return f"The worker ends: {reason}."
    if reason is not None:
        return f"The worker ends: {type(reason).__name__}: {reason}."
    why = f"no Kafka answers at {bootstrap}" if gone else "it did not come to its end in time"
    return f"Stopped, but {why}: what was not committed is done anew by the next worker."


def _answers(bootstrap: str) -> bool:
    """Whether anybody listens at one of the addresses."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        with suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout=1.0):
            return True
    return False


class _Limit:
    """Ends the process hard when the orderly way hangs in a library."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._timer: threading.Timer | None = None

    def begin(self, seconds: float, words: str) -> None:
        """From now on there are so many seconds; then `words` are said, and that is it."""
        self._timer = threading.Timer(seconds, self._end, (words,))
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> "_Limit":
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, words: str) -> None:
        self._voice.say("error", words, exitCode=1)
        os._exit(1)


class _Quiet(logging.Filter):
    """Lets pass what is news: not how the client finds its coordinator or takes its leave, and no traceback of a reason that is told in words."""

    def __init__(self) -> None:
        super().__init__()
        self.is_starting = True
        self._is_stopping = False
        self._patient_until = monotonic() + PATIENCE_SECONDS

    def begin_stop(self) -> None:
        """From now on the client's threads may be cancelled, and what it could not say to a Kafka that is gone is no news."""
        self._is_stopping = True
        threading.excepthook = _thread_ended

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], EngineError):
            return False
        from_client = record.name.split(".")[0] in CLIENT_LOGGERS
        return not (from_client and (self._is_stopping or (self.is_starting and monotonic() < self._patient_until)))


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if not issubclass(args.exc_type, asyncio.CancelledError):
        threading.__excepthook__(args)


class _Spoken(logging.Handler):
    """The log through the worker's voice, so that every line is JSON."""

    def __init__(self, voice: Voice) -> None:
        super().__init__()
        self._voice = voice

    def emit(self, record: logging.LogRecord) -> None:
        """One line, with the traceback where there is one."""
        self._voice.say("log", self.format(record), level=record.levelname, logger=record.name)


def _log_through(quiet: _Quiet, voice: Voice) -> None:
    handler = logging.StreamHandler() if not voice.as_json else _Spoken(voice)
    handler.addFilter(quiet)
    if voice.as_json:
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler])
    for name in ("streams.engine.recovery", "streams.dials"):  # How far it is with restoring, and with a new policy.
        logging.getLogger(name).setLevel(logging.INFO)


def _held(engine: Engine) -> list[tuple[str, int]]:
    """The partitions that it has, by the topics' own names."""
    return [(topic.removeprefix(engine.settings.topic_prefix), partition) for topic, partition in list(engine.progress())]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


class _Web:
    """The two pages, served from a thread of their own."""

    def __init__(self, settings: Settings, engine: Engine, voice: Voice) -> None:
        self._voice = voice
        self._server: WSGIServer | None = None
        if settings.metrics_port is not None:
            pages = _pages(engine)
            try:
                self._server = make_server(settings.metrics_host, settings.metrics_port, pages, server_class=_Server, handler_class=_Silent)
            except OSError as error:
                error.filename = f"{settings.metrics_host}:{settings.metrics_port} (KAIROS_METRICS_PORT; 0 takes a free one)"
                raise

    def __enter__(self) -> None:
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
            self._voice.say(
                "metrics", f"http://{self._server.server_name}:{self._server.server_port}/metrics", port=self._server.server_port
            )

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
        asked = answers.get(environ["PATH_INFO"])
        if asked is None:
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [b'{"code":"not_found","message":"There are /metrics, /healthz, /readyz and /health."}']
        holds, said = asked()
        start_response("200 OK" if holds else "503 Service Unavailable", [("Content-Type", "application/json")])
        return [orjson.dumps(said)]

    def alive() -> Answer:
        live = engine.alive()
        return live, {"status": "alive"} if live else {"code": "stuck", "message": "There is work, and nothing moves."}

    def ready() -> Answer:
        is_ready = engine.ready()
        return is_ready, {"status": "ready"} if is_ready else {"code": "not_ready", "message": "No Kafka, or partitions do not run yet."}

    def all_of_it() -> Answer:
        live = engine.alive()
        partitions = {f"{topic}[{partition}]": at._asdict() for (topic, partition), at in engine.progress().items()}
        return live, {"live": live, "ready": engine.ready(), "partitions": partitions}

    answers: Mapping[str, Callable[[], Answer]] = {"/healthz": alive, "/readyz": ready, "/health": all_of_it}
    return page
