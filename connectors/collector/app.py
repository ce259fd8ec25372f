"""The collector as an ASGI application: Segment's HTTP API, health, metrics, and its own description.

The rule this module owns: whatever is wrong with a request is a Problem, and every Problem is answered as `{"code", "message"}`; 200 means that Kafka has
it all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.collector import mapping, openapi
from connectors.collector.config import Config
from connectors.collector.counts import Counts
from connectors.collector.keys import Damaged, Door, named
from connectors.collector.mapping import Problem
from connectors.collector.sender import Sender
from connectors.runtime.instants import rfc3339

HEADERS_ALLOWED = ("Authorization", "Content-Type", "AnonymousId", "SentAt", "X-Retry-Count", "X-Write-Key")
_PREFLIGHT_SECONDS = 86_400
Endpoint = Callable[[Request], Awaitable[Response]]


class Collector:
    """One door: requests in, interactions out."""

    def __init__(self, config: Config, door: Door, registry: CollectorRegistry = REGISTRY) -> None:
        self._config, self._door, self._registry = config, door, registry
        self._counts = Counts(registry)
        self._sender: Sender | None = None

    @asynccontextmanager
    async def living(self, _: Starlette) -> AsyncIterator[None]:
        """The producer lives as long as the server."""
        self._sender = Sender(self._config)
        self._counts.waiting(lambda: self._open.waiting_bytes)
        try:
            yield
        finally:
            await asyncio.to_thread(self._open.close)
            self._counts.close()

    def routes(self) -> list[Route]:
        """Every path."""
        routes = [Route(f"/v1/{last}", self._taking(None), methods=["POST"]) for last in mapping.BATCH_PATHS]
        routes += [Route(f"/v1/{last}", self._taking(kind or last), methods=["POST"]) for last, kind in mapping.PATHS.items()]
        return [
            *routes,
            Route("/v1/projects/{key}/settings", self._settings),
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._described),
        ]

    def _taking(self, kind: str | None) -> Endpoint:
        async def take(request: Request) -> Response:
            try:
                await self._take(request, kind)
            except Problem as problem:
                return self._refused(problem)
            except ClientDisconnect:
                return self._refused(Problem(400, "went_away", "The client went away before its request was here."))
            self._counts.answered(200)
            return JSONResponse({"success": True})

        return take

    async def _take(self, request: Request, kind: str | None) -> None:
        config = self._config
        received_at = rfc3339(time.time_ns() // 1000)
        body = mapping.unpacked(await _body(request, config.body_bytes_max), config.unpacked_bytes_max)
        said = mapping.fields(body)
        key = self._door.enter(named(request.headers, said))
        items = list(mapping.items(said, kind, key.source, received_at, config.items_max, config.item_bytes_max))
        self._door.spend(key, len(items), config.retry_after_seconds)
        start = time.monotonic()
        await self._open.send(items)
        self._counts.taken(key.source, items, time.monotonic() - start)

    async def _settings(self, request: Request) -> Response:
        """What analytics.js asks for before it sends anything: where to, and that there is nothing else to load."""
        try:
            self._door.enter(request.path_params["key"])
        except Problem as problem:
            return self._refused(problem)
        host = f"{request.url.netloc}/v1"
        segment = {"apiKey": request.path_params["key"], "apiHost": host, "protocol": request.url.scheme, "unbundledIntegrations": []}
        return JSONResponse({"integrations": {"Segment.io": segment}, "plan": {}, "metrics": {"sampleRate": 0}})

    async def _alive(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _: Request) -> Response:
        ready = await asyncio.to_thread(self._open.reachable)
        if ready:
            return JSONResponse({"status": "ready"})
        return _problem(Problem(503, "kafka_unavailable", "Kafka does not answer."))

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _described(self, _: Request) -> Response:
        return JSONResponse(openapi.document(self._config))

    def _refused(self, problem: Problem) -> Response:
        self._counts.answered(problem.status)
        return _problem(problem, self._config.retry_after_seconds)

    @property
    def _open(self) -> Sender:
        assert self._sender is not None, "the server has not started"
        return self._sender


def application(config: Config, door: Door, registry: CollectorRegistry = REGISTRY) -> Starlette:
    """The collector, for an ASGI server."""
    collector = Collector(config, door, registry)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=config.origins,
        allow_methods=["GET", "POST"],
        allow_headers=HEADERS_ALLOWED,
        max_age=_PREFLIGHT_SECONDS,
    )
    answers: dict[Any, Any] = {404: _not_there, 405: _not_so, Damaged: _damaged, 500: _failed}
    return Starlette(routes=collector.routes(), middleware=[cors], lifespan=collector.living, exception_handlers=answers)


async def _body(request: Request, bytes_max: int) -> bytes:
    """All of it, as long as it is not too large: a longer one is not read to its end. Problem 413."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise Problem(413, "body_too_large", f"The body is larger than {bytes_max} bytes.")
        parts.append(part)
    return b"".join(parts)


def _problem(problem: Problem, retry_after_seconds: int = 1) -> JSONResponse:
    headers = {"Retry-After": str(retry_after_seconds)} if problem.status in (429, 503) else None
    return JSONResponse({"code": problem.code, "message": problem.message}, problem.status, headers)


async def _not_there(request: Request, _: Exception) -> Response:
    return _problem(Problem(404, "no_such_path", f"There is no {request.url.path}; /openapi.json says what there is."))


async def _not_so(request: Request, _: Exception) -> Response:
    return _problem(Problem(405, "no_such_method", f"{request.url.path} does not take {request.method}."))


async def _damaged(_: Request, error: Exception) -> Response:
    return _problem(Problem(503, "keys_unreadable", str(error)))


async def _failed(_: Request, __: Exception) -> Response:
    return _problem(Problem(500, "failed", "The collector failed at this request; its log says how."))
