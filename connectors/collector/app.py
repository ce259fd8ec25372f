"""The collector as an ASGI application: Segment's HTTP API, health, metrics, and its own description.

The rule this module owns: whatever is wrong with a request is a Problem, and every Problem is answered as `{"code", "message"}`; 200 means that Kafka has
it all. While a request waits, nothing is kept of it but what waits.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.collector import mapping, openapi
from connectors.collector.config import Config
from connectors.collector.counts import Counts, tally
from connectors.collector.keys import Damaged, Door, Key, shown
from connectors.collector.mapping import Item
from connectors.collector.origins import Origins
from connectors.collector.problem import Problem
from connectors.collector.room import Room, Share
from connectors.collector.sender import Sender, held_bytes
from connectors.runtime.instants import rfc3339

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
Endpoint = Callable[[Request], Awaitable[Response]]


class Collector:
    """One door: requests in, interactions out."""

    def __init__(self, config: Config, door: Door, registry: CollectorRegistry = REGISTRY) -> None:
        self._config, self._door, self._registry = config, door, registry
        self._counts = Counts(registry)
        self._room = Room(config.held_bytes_max)
        self._sender: Sender | None = None

    @asynccontextmanager
    async def living(self, _: Starlette) -> AsyncIterator[None]:
        """The producer lives as long as the server."""
        self._sender = Sender(self._config)
        self._counts.waiting(lambda: self._room.taken)
        try:
            yield
        finally:
            await self._open.close()
            self._counts.close()

    def application(self) -> Starlette:
        """For an ASGI server."""
        origins = Middleware(Origins, origins=self._config.origins, refused=self._refused)
        answers: dict[Any, Any] = {Problem: self._problem, 404: self._not_there, 405: self._not_so, 500: self._failed}
        made = Starlette(routes=self.routes(), middleware=[origins], lifespan=self.living, exception_handlers=answers)
        made.router.redirect_slashes = False  # Where to is what the client says is its host.
        return made

    def answered(self, status: int) -> None:
        """A connection was told so before its request came to here."""
        self._counts.answered(status)

    def routes(self) -> list[Route]:
        """Every path."""
        routes = [Route(f"/v1/{last}", self._taking(None), methods=["POST"]) for last in mapping.BATCH_PATHS]
        routes += [Route(f"/v1/{last}", self._taking(kind), methods=["POST"]) for last, kind in mapping.PATHS.items()]
        routes.append(Route(f"/v1/{mapping.OUTCOME_PATH}", self._taking(mapping.OUTCOME_PATH), methods=["POST"]))
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
            except ClientDisconnect:
                raise Problem(400, "went_away", "The client went away before its request was here.") from None
            except asyncio.CancelledError:  # The server stops, and has waited as long as it may.
                raise Problem(503, "stopping", "The collector stops; send it again.") from None
            self._counts.answered(200)
            return JSONResponse({"success": True})

        return take

    async def _take(self, request: Request, kind: str | None) -> None:
        told = shown(request.headers)
        if told is not None:
            self._door.enter(told)  # Who shows a wrong key is told before anything is read.
        with self._room.share(known=told is not None) as share:
            key, items = self._read(await self._body(request, share, told), kind, told, share)
            share.become(held_bytes(items))
            self._door.spend(key, len(items))
            counts, start = tally(items), time.monotonic()
            delivery = self._open.send(items)
            del items
            await delivery.over()
            self._counts.taken(key.source, counts, time.monotonic() - start)

    async def _body(self, request: Request, share: Share, told: str | None) -> bytes:
        """All of it, as long as it is not too large: a longer one is not read to its end. Problem 413 or 429."""
        bytes_max = self._config.body_bytes_max if told is not None else self._config.stranger_bytes_max
        too_large = Problem(
            413, "body_too_large", f"The body is larger than {bytes_max} bytes{'' if told else ', and no header has a key'}."
        )
        if int(request.headers.get("content-length", 0)) > bytes_max:
            raise too_large
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > bytes_max:
                raise too_large
            share.more(len(part))
            parts.append(part)
        return b"".join(parts)

    def _read(self, body: bytes, kind: str | None, told: str | None, share: Share) -> tuple[Key, list[Item]]:
        """By whose key it comes, and what it holds. Problem."""
        config, received_at = self._config, rfc3339(time.time_ns() // 1000)
        body = mapping.unpacked(body, config.unpacked_bytes_max if told is not None else config.stranger_bytes_max)
        body, said = mapping.read(body)
        told = mapping.write_key(said) if told is None else told
        key = self._door.enter(told)
        share.show_key()
        if kind is None:
            return key, mapping.batch(said, told or "", key.source, received_at, config)
        if kind == mapping.OUTCOME_PATH:
            return key, mapping.outcome(body, told or "", key.source, received_at, config)
        return key, mapping.single(body, kind, told or "", key.source, received_at, config)

    async def _settings(self, request: Request) -> Response:
        """What analytics.js asks for before it sends anything: where to, and that there is nothing else to load."""
        key = request.path_params["key"]
        self._door.enter(key)
        protocol, _, host = (self._config.public_url or _own_url(request)).partition("://")
        segment = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": protocol, "unbundledIntegrations": []}
        return JSONResponse({"integrations": {"Segment.io": segment}, "plan": {}, "metrics": {"sampleRate": 0}})

    async def _alive(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _: Request) -> Response:
        try:
            self._door.look()
        except Damaged:
            raise Problem(503, "keys_unreadable", "The collector cannot read its keys; its log says why.") from None
        if not await self._open.reachable():
            raise Problem(503, "kafka_unavailable", "Kafka does not answer.")
        return JSONResponse({"status": "ready"})

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _described(self, _: Request) -> Response:
        return JSONResponse(openapi.document(self._config))

    def _refused(self, problem: Problem) -> Response:
        self._counts.answered(problem.status)
        return Response(problem.body(), problem.status, problem.headers(), "application/json")

    async def _problem(self, _: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)
        return self._refused(problem)

    async def _not_there(self, _: Request, __: Exception) -> Response:
        return self._refused(Problem(404, "no_such_path", "There is no such path; /openapi.json says what there is."))

    async def _not_so(self, _: Request, error: Exception) -> Response:
        answer = self._refused(Problem(405, "no_such_method", "This path does not take this method; the header Allow says which it takes."))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    async def _failed(self, _: Request, __: Exception) -> Response:
        return self._refused(Problem(500, "failed", "The collector failed at this request; its log says how."))

    @property
    def _open(self) -> Sender:
        assert self._sender is not None, "the server has not started"
        return self._sender


def _own_url(request: Request) -> str:
    """As the client has asked for it. Problem 400."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise Problem(400, "no_host", "The header Host names no host.")
    return f"{request.scope['scheme']}://{host}"
