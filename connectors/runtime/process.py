"""A delivery as a process: its loop, its pages, and SIGTERM or Ctrl-C as its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from connectors.runtime import pages
from connectors.runtime.delivery import Delivery, Endpoint, Plan, Tell

OnReady = Callable[[int | None], None]
"""Called once all endpoints have their records from Kafka, with the port of the pages (None: there are none)."""


def run(
    plan: Plan, endpoints: Sequence[Endpoint], tell: Tell, on_ready: OnReady, registry: CollectorRegistry, at: tuple[str, int] | None = None
) -> bool:
    """Deliver until told to stop (False), or, of a replay, until all is delivered (True); pages at a host and port, if there is one. Raises OSError."""
    return asyncio.run(_run(plan, endpoints, tell, on_ready, registry, at))


async def _run(
    plan: Plan, endpoints: Sequence[Endpoint], tell: Tell, on_ready: OnReady, registry: CollectorRegistry, at: tuple[str, int] | None
) -> bool:
    delivery = Delivery(plan, endpoints, tell, registry)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, delivery.stop)
    async with AsyncExitStack() as stack:
        port = None
        if at is not None:
            port = await stack.enter_async_context(pages.served(*at, registry, lambda: delivery.is_alive, lambda: delivery.is_ready))
        return await delivery.run(lambda: on_ready(port))
