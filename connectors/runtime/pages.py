"""The pages of a process that delivers: /metrics, /healthz, /readyz."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


@asynccontextmanager
async def served(
    host: str, port: int, registry: CollectorRegistry, is_alive: Callable[[], bool], is_ready: Callable[[], bool]
) -> AsyncIterator[int]:
    """Serve them; the port they are on (0 asks for a free one). Raises OSError."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def alive(_: web.Request) -> web.Response:
        return _said(is_alive(), "alive", "a feed from Kafka hangs")

    async def ready(_: web.Request) -> web.Response:
        return _said(is_ready(), "ready", "not every endpoint has its records from Kafka")

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", alive), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _said(is_so: bool, word: str, why_not: str) -> web.Response:
    return web.json_response({"status": word} if is_so else {"code": f"not_{word}", "message": why_not}, status=200 if is_so else 503)
