"""What a run shows while it runs: one picture of its progress, drawn live on a terminal or told in plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import click

from streams.cli.observe import Seen

RATE_SECONDS = 3.0
"""The rate shown is the mean over this long."""
PLAIN_SECONDS = 2.0
"""A plain line at most this often."""


class Picture(NamedTuple):
    """A run at an instant: seconds since its start, records sent by the player and in all (None: unknown), lag by topic, what was seen."""

    phase: str
    seconds: float
    sent: int
    total: int | None
    lag: Mapping[str, int]
    rate: float
    seen: Seen

    @property
    def done(self) -> int:
        """Interactions that have come out at the other end."""
        return self.seen.applied + self.seen.dead


class View(Protocol):
    """Shows pictures; a context manager."""

    def show(self, picture: Picture) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Rate:
    """The mean rate of a growing count over the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def per_second(self, count: int) -> float:
        """Take the count as of now; its growth a second."""
        now = time.monotonic()
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[1][0] > RATE_SECONDS:
            self._points.popleft()
        start, first = self._points[0]
        return (count - first) / (now - start) if now > start else 0.0


class Plain:
    """A line when the phase changes, and every two seconds in between; to standard error, so that standard output is the result's."""

    def __init__(self) -> None:
        self._phase = ""
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, picture: Picture) -> None:
        """Print a line if it is time."""
        now = time.monotonic()
        if picture.phase == self._phase and now - self._told < PLAIN_SECONDS:
            return
        self._phase, self._told = picture.phase, now
        click.echo(sentence(picture), err=True)


def sentence(picture: Picture) -> str:
    """A picture as one line."""
    parts = [f"{picture.seconds:5.1f} s  {picture.phase}"]
    if picture.sent:
        whole = f" of {picture.total:,}" if picture.total is not None and picture.sent <= picture.total else ""  # Some are sent twice.
        lag = " + ".join(f"{count:,} {_short(topic)}" for topic, count in picture.lag.items())
        seen = picture.seen
        parts += [
            f"sent {picture.sent:,}{whole}, applied {seen.applied:,}, dead {seen.dead:,}",
            f"{picture.rate:,.0f}/s, lag {lag or 0}",
            f"{len(seen.customers):,} people, {seen.stages.total():,} stage changes, {seen.moments.total():,} moments",
        ]
    return "  |  ".join(parts)


def _short(topic: str) -> str:
    return topic.split(".")[1]
