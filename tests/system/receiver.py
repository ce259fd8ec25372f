"""An engagement system that takes what is delivered, and tells what became of it, as a customer's interaction."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

Outcome = dict[str, Any]


class Receiver:
    """Listens on loopback; `outcomes` holds what its users did with the moments that came."""

    def __init__(self) -> None:
        self.outcomes: Queue[Outcome] = Queue()
        outcomes = self.outcomes

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take it."""
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if said["type"] == "moment.fired":
                    outcomes.put(acted(said["data"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """It has nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/kairos"
        threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True).start()

    def close(self) -> None:
        """It listens no longer."""
        self._server.shutdown()
        self._server.server_close()


def acted(moment: Outcome) -> Outcome:
    """That the one whom a moment was about has done as it said; whose it was says the token that came with it."""
    return {
        "type": "track",
        "event": "Moment Acted",
        "messageId": f"{moment['id']}-acted",
        "outcome": {"momentId": moment["id"], "kind": "acted", "token": moment["outcomeToken"]},
    }
