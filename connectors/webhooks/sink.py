"""One endpoint over HTTP: requests signed and posted, answers read as outcomes.

The rule this module owns: what the other side does, answers or fails to answer is an outcome; nothing of its answer but the status goes any further.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from connectors.runtime.deliverer import Limits
from connectors.runtime.delivery import Endpoint
from connectors.runtime.patience import HOUR, Patience
from connectors.runtime.sinks import Outcome, Output, Request
from connectors.webhooks.addresses import Private, any_socket, public_socket
from connectors.webhooks.config import Target
from connectors.webhooks.mapping import Mapping

Kind = Literal["delivered", "refused", "failed", "throttled", "gone"]
STATUSES: dict[int, Kind] = {400: "refused", 410: "gone", 413: "refused", 415: "refused", 422: "refused", 429: "throttled"}
"""What a status means; of the others 2xx is delivered, one with Retry-After throttled, and all else failed: it is tried again."""
LOOK_UP_THREADS = 2
"""Of each endpoint its own: a name server that hangs holds up no other."""
IDLE_SECONDS_MAX = 30.0
ANSWER_BYTES_READ = 64 * 1024


class WebhookSink:
    """One endpoint; made within the loop that it runs in."""

    batch_max = 1

    def __init__(self, target: Target) -> None:
        endpoint = target.endpoint
        self._url, self._signers = target.url, [Webhook(secret) for secret in target.secrets]
        self._mapping = Mapping(endpoint)
        self._resolver = _Resolver(target.name)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=endpoint.concurrency,
                resolver=self._resolver,
                socket_factory=any_socket if endpoint.allow_private_addresses else public_socket,
                keepalive_timeout=IDLE_SECONDS_MAX,
            ),
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json", "User-Agent": "Kairos"},
            trust_env=False,  # A proxy would connect to addresses that nobody judged.
        )

    @property
    def topics(self) -> Sequence[str]:
        """What it wants to hear of."""
        return self._mapping.topics

    def map(self, output: Output) -> Request | None:
        """The request that an output becomes; None where it is not for this endpoint."""
        return self._mapping.request(output)

    async def deliver(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Post each."""
        return [await self._post(request) for request in requests]

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._session.close()
        await self._resolver.close()

    async def _post(self, request: Request) -> Outcome:
        headers = {**request.headers, **signed(self._signers, request, time.time())}
        try:
            async with self._session.post(self._url, data=request.body, headers=headers, allow_redirects=False) as response:
                outcome = answered(response.status, response.headers.get("Retry-After"), time.time)
                with suppress(
                    TimeoutError, aiohttp.ClientError
                ):  # The status has said it all; a short body is read so that the connection can be kept.
                    await response.content.read(ANSWER_BYTES_READ)
                return outcome
        except TimeoutError:
            return Outcome("failed", "no answer in time")
        except aiohttp.ClientConnectorCertificateError:
            return Outcome("failed", "its certificate is not valid")
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            return Outcome("failed", _told(error))


def signed(signers: Sequence[Webhook], request: Request, now: float) -> dict[str, str]:
    """Standard Webhooks' three headers; every secret signs, the newest first."""
    at = datetime.fromtimestamp(int(now), UTC)
    body = request.body.decode()
    return {
        "webhook-id": request.id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signer.sign(request.id, at, body) for signer in signers),
    }


def answered(status: int, retry_after: str | None, clock: Callable[[], float]) -> Outcome:
    """What an answer means."""
    if 200 <= status < 300:
        return Outcome("delivered")
    seconds = _seconds(retry_after, clock)
    kind = STATUSES.get(status, "failed" if seconds is None else "throttled")
    return Outcome(kind, f"HTTP {status}", seconds or 0.0)


def _seconds(retry_after: str | None, clock: Callable[[], float]) -> float | None:
    """Retry-After in seconds or as a date (RFC 9110, 10.2.3); None where there is none, or none that can be read."""
    if retry_after is None:
        return None
    written = retry_after.strip()
    if written.isascii() and written.isdigit():
        return float(written[:9])
    try:
        return max(0.0, parsedate_to_datetime(written).timestamp() - clock())
    except ValueError:
        return None


def _told(error: Exception) -> str:
    """What went wrong, without what the other side said."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, Private):
        return f"{inner}, which is refused"
    if isinstance(inner, socket.gaierror):
        return "its name is not known"
    return f"{type(inner).__name__}{'' if not isinstance(inner, OSError) or inner.strerror is None else f': {inner.strerror}'}"


class _Resolver(AbstractResolver):
    """Looks names up in threads of its own."""

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UP_THREADS, thread_name_prefix=f"names-{name}")

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        )
        return [
            ResolveResult(hostname=host, host=str(where[0]), port=int(where[1]), family=kind, proto=protocol, flags=socket.AI_NUMERICHOST)
            for kind, _, protocol, _, where in found
        ]

    async def close(self) -> None:
        """End the threads; a look-up that hangs is left to itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def endpoint(target: Target) -> Endpoint:
    """What the runner needs of an endpoint."""
    said = target.endpoint
    patience = Patience(
        first_seconds=said.retry_first_seconds,
        pause_seconds_max=max(HOUR, said.retry_first_seconds),
        give_up_seconds=said.retry_hours * HOUR,
    )
    return Endpoint(target.name, lambda: WebhookSink(target), patience, Limits(under_way_max=said.concurrency))
