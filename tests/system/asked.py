"""What Prometheus answers."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

SECONDS_MAX = 60.0


class Series(NamedTuple):
    """One line: its labels, times (Unix seconds) and values."""

    labels: dict[str, str]
    times: list[float]
    values: list[float]


class Prometheus:
    """One server, asked from `began` on (monotonic seconds); queries are PromQL."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.began = time.monotonic()

    def now(self, query: str) -> list[float]:
        """The values that there are now; what is no number (nothing to divide by) is none."""
        answer = self._get("query", query=query)
        return [value for one in answer["result"] if not math.isnan(value := float(one["value"][1]))]

    def lately(self, query: str, seconds: float, step: float) -> list[Series]:
        """The same over the last so many seconds."""
        end = time.time()
        answer = self._get("query_range", query=query, start=end - seconds, end=end, step=step)
        return [
            Series(one["metric"], *map(list, zip(*[(at, float(value)) for at, value in one["values"]], strict=True)))
            for one in answer["result"]
        ]

    def _get(self, what: str, **words: object) -> Any:
        url = f"{self._address}/api/v1/{what}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]
