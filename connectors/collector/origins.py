"""Which pages of the web may send from a browser.

The rule this module owns: a page whose origin is not named is refused, whatever it asks, in the collector's own form. A browser would only keep the answer
from it; what it sent would have been taken.
"""

from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.collector.problem import Problem

HEADERS_ALLOWED = ("Authorization", "Content-Type", "AnonymousId", "SentAt", "X-Retry-Count", "X-Write-Key")
HEADERS_SHOWN = ("Retry-After",)
"""Without this a page cannot read when to come again."""
PREFLIGHT_SECONDS = 86_400


class Origins(CORSMiddleware):
    """Starlette's answers to browsers, and a refusal in the collector's form; `refused` makes the answer."""

    def __init__(self, app: ASGIApp, origins: Collection[str], refused: Callable[[Problem], Response]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=HEADERS_ALLOWED,
            expose_headers=HEADERS_SHOWN,
            max_age=PREFLIGHT_SECONDS,
        )
        self._refused = refused

    def preflight_response(self, request_headers: Headers) -> Response:
        """Whether the page may send what it is about to send."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        refused = self._refused(
            Problem(403, "not_for_this_page", f"{bytes(answer.body).decode()}; kairos collector --origin names who may send.")
        )
        refused.headers.update(
            {name: value for name, value in answer.headers.items() if name == "vary" or name.startswith("access-control-")}
        )
        return refused

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        """A request itself; some are sent without being asked for first."""
        origin = request_headers.get("origin")
        if origin is None or self.is_allowed_origin(origin):
            await super().simple_response(scope, receive, send, request_headers)
        else:
            refused = self._refused(
                Problem(403, "not_for_this_page", "Pages of this origin may not send; kairos collector --origin names who may.")
            )
            await refused(scope, receive, send)
