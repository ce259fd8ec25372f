"""What a dashboard is made of, and the few forms of query that all of them use.

The rule this module owns: a panel says in a sentence what it shows and has a unit; a query is PromQL with $__rate_interval for its window.
"""

from typing import Literal, NamedTuple

WINDOW = "$__rate_interval"

Unit = Literal["short", "cps", "s", "percentunit", "bytes", "none"]
"""Grafana's ids: a number, counts a second, seconds, a share from 0 to 1, bytes, a whole number."""


class Line(NamedTuple):
    """One query; `legend` names its series, with {{label}} for a label's value."""

    query: str
    legend: str


class Panel(NamedTuple):
    """One picture, or with kind `number` the newest value in large. `limit` draws a line that should not be crossed."""

    title: str
    unit: Unit
    about: str
    lines: tuple[Line, ...]
    kind: Literal["graph", "stacked", "number"] = "graph"
    limit: float | None = None
    most: float | None = None
    """The end of the axis, where it has one."""


class Row(NamedTuple):
    """Panels side by side, under a title."""

    title: str
    panels: tuple[Panel, ...]


class Board(NamedTuple):
    """One dashboard; `name` is its file and part of its address."""

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]


def rate(metric: str, *by: str, where: str = "") -> str:
    """How often a second, added up over all processes."""
    return f"sum{_by(by)}(rate({metric}{_where(where)}[{WINDOW}]))"


def total(metric: str, *by: str, where: str = "") -> str:
    """A gauge, added up over all processes."""
    return f"sum{_by(by)}({metric}{_where(where)})"


def greatest(query: str, *by: str) -> str:
    """The greatest of all processes and partitions."""
    return f"max{_by(by)}({query})"


def age(metric: str) -> str:
    """How long ago an instant was when it was told: against the time of the scrape, not of the question."""
    return f"timestamp({metric}) - {metric}"


def quantile(share: float, histogram: str, *by: str) -> str:
    """What so large a share stays below."""
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', 'le', *by)})"


def quantiles(histogram: str, *by: str, shares: tuple[float, ...] = (0.5, 0.9, 0.99)) -> tuple[Line, ...]:
    """The usual ones, a line each."""
    named = "".join(f"{{{{{label}}}}} " for label in by)
    return tuple(Line(quantile(share, histogram, *by), f"{named}{share * 100:g}%") for share in shares)


def within(histogram: str, bound: str) -> str:
    """The share of a histogram that is at most `bound`, as Prometheus writes it."""
    return f"{rate(f'{histogram}_bucket', where=f'le={chr(34)}{bound}{chr(34)}')} / {rate(f'{histogram}_count')}"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _where(matchers: str) -> str:
    return f"{{{matchers}}}" if matchers else ""
