"""A brand at work: invented people whose last two months end now, sent to a collector as a producer would, for as long as somebody looks.

The rule this module owns: what it sends is decided by the seed; only when it happens is now.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

from connectors.simulator import simulate

PEOPLE, SEED = 500, 11
ITEMS_OF_A_REQUEST = 50
REQUESTS_A_SECOND = 4
ORDER_DAYS_AGO = 2
OLD_DAYS_AGO = 10

NO_INTERACTION = 5

Item = Any


def items(directory: Path) -> list[Item]:
    """Everything that the invented people did, its newest now; a line that is no JSON goes as the text that it is."""
    simulate(PEOPLE, SEED, directory, late=0.05, malformed=0.02)
    found: list[Item] = []
    for line in (directory / "interactions.jsonl").read_bytes().splitlines():
        try:
            found.append(json.loads(line, parse_constant=_no_json))
        except ValueError:
            found.append(line.decode(errors="replace"))
    times = [at for item in found if (at := _time(item)) is not None]
    ahead = datetime.now(UTC) - max(at for at in times if at.year < 2100) - timedelta(minutes=1)
    return [_moved(item, ahead) for item in found]


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _time(item: Item) -> datetime | None:
    try:
        return datetime.fromisoformat(item["timestamp"])
    except (TypeError, ValueError, KeyError):
        return None


def _moved(item: Item, ahead: timedelta) -> Item:
    at = _time(item)
    return item if at is None or at.year > 2100 else {**item, "timestamp": (at + ahead).isoformat()}


def complaints(name: str) -> list[Item]:
    """Somebody who has bought for much, and complains: just now, so that a moment is released; another who did so ten days ago, so that it is too late; and
    what is no interaction."""
    now = datetime.now(UTC)
    said = []
    for who, ago in ((f"{name}-now", timedelta()), (f"{name}-then", timedelta(days=OLD_DAYS_AGO))):
        order = {"event": "Order Completed", "properties": {"revenue": 6_000, "currency": "GBP"}}
        case = {"event": "Case Opened", "caseId": who, "properties": {"kind": "complaint"}}
        for number, (what, at) in enumerate(((order, now - ago - timedelta(days=ORDER_DAYS_AGO)), (case, now - ago))):
            about = {"messageId": f"{who}-{number}", "type": "track", "timestamp": at.isoformat(), "channel": "web"}
            said.append({**about, "userId": who, "anonymousId": "null", **what})
    return [*said, NO_INTERACTION]


class Load:
    """A producer in a thread of its own, at a steady pace; `sent` counts items that the collector has taken."""

    def __init__(self, collector: str, keys: list[str], items: list[Item], outcomes: Queue[Item]) -> None:
        self.sent = 0
        self.failed: list[str] = []
        self._address = urlsplit(collector).netloc
        self._keys = keys
        self._outcomes = outcomes
        self._items = items
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        for number, batch in enumerate(self._batches()):
            if self._ended.wait(max(0.0, began + number / REQUESTS_A_SECOND - time.monotonic())):
                return
            self._post([*batch, *complaints(f"c{number}"), *self._what_became()], self._keys[number % len(self._keys)])

    def _what_became(self) -> Iterator[Item]:
        """The outcomes that came back meanwhile."""
        while not self._outcomes.empty():
            yield {**self._outcomes.get(), "timestamp": datetime.now(UTC).isoformat()}

    def _batches(self) -> Iterator[list[Item]]:
        """Everybody's past; then visits, without end."""
        for start in range(0, len(self._items), ITEMS_OF_A_REQUEST):
            yield self._items[start : start + ITEMS_OF_A_REQUEST]
        for number in itertools.count():
            now = datetime.now(UTC).isoformat()
            yield [{"messageId": f"v{number}", "type": "page", "userId": f"v{number % 50}", "timestamp": now}]

    def _post(self, batch: list[Item], key: str) -> None:
        headers = {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode(), "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self._address, timeout=120)
        try:
            connection.request("POST", "/v1/batch", json.dumps({"batch": batch}), headers)
            answer = connection.getresponse()
            if answer.status == 200:
                self.sent += len(batch)
            else:
                self.failed.append(f"{answer.status} {answer.read()!r}")
        except OSError as error:
            self.failed.append(repr(error))
        finally:
            connection.close()
