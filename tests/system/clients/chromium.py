"""A browser without a window, and the small shop that it visits.

The rule this module owns: the page and the collector have different origins, as in life; what the page's client reports comes back by the page itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome")
PAGE = Path(__file__).parent / "browser" / "page.html"
BUNDLE = Path("@segment/analytics-next/dist/umd")
VISIT_SECONDS_MAX = 120.0


class Shop:
    """A web server for one page, and a browser that opens it."""

    def __init__(self, modules: Path) -> None:
        self.told: list[dict[str, Any]] = []
        """What the page has told, in order."""
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering(modules / BUNDLE))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._profile = Path(tempfile.mkdtemp(prefix="kairos-browser-"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self._profile, ignore_errors=True)

    @property
    def origin(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def visited(self, **asked: object) -> None:
        """A browser goes through all that the page does. An AssertionError, with the browser's words, where it does not come to the end."""
        command = next((path for path in map(shutil.which, NAMES) if path), None)
        assert command, "there is no Chromium: apt-get install chromium (.ci/packages)"
        switches = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        ]
        url = f"{self.origin}/page.html?{urlencode({'step': 0, **asked})}"
        log = self._profile / "log"
        with log.open("wb") as words:
            browser = subprocess.Popen(
                [command, *switches, f"--user-data-dir={self._profile}", url], stdout=words, stderr=subprocess.STDOUT
            )
        try:
            assert self._over.wait(VISIT_SECONDS_MAX), f"the visit does not end: {self.told}\n{log.read_text(errors='replace')[-4_000:]}"
        finally:
            browser.terminate()
            browser.wait(VISIT_SECONDS_MAX)

    def _answering(self, bundle: Path) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                file = PAGE if path == "/page.html" else bundle / Path(path).name
                if path == "/page.html" or (path.startswith("/analytics/") and file.is_file()):
                    self._say(200, "text/html" if file is PAGE else "text/javascript", file.read_bytes())
                else:
                    self._say(404, "text/plain", b"")

            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(200, "text/plain", b"")
                if told.get("over"):
                    shop._over.set()
                else:
                    shop.told.append(told)

            def _say(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test says what went wrong."""

        return Answering
