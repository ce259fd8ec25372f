"""What the tests of the whole pipeline play: the shop's year, and simulated people whose identifiers meet. Each says how far time goes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

from connectors.jsonl.source import READER as JSON_LINES
from connectors.online_retail.source import READER as SHOP_READER
from connectors.runtime.sources import Reader
from connectors.simulator import simulate
from streams import instants
from tests.oracles import retail


class Source(NamedTuple):
    """A file, its reader, the journeys that judge it, and the time that is said at its end (microseconds UTC; None: none)."""

    path: Path
    reader: Reader[Any]
    journeys: tuple[str, ...]
    until: int | None


def shop() -> Source:
    """The shop's whole year, until the instant that its oracle looks at."""
    return Source(retail.SHOP, SHOP_READER, ("retail",), _instant(retail.UNTIL.isoformat()))


def people(count: int, directory: Path, seed: int = 11) -> Source:
    """Simulated people over sixty days, and then two quiet months in which deadlines fall due."""
    simulated = simulate(count, seed, directory, late=0.05, out_of_order=0.1)
    return Source(simulated.interactions_path, JSON_LINES, ("retail", "brand"), _instant("2025-05-01T00:00:00Z"))


def portions(source: Source, directory: Path, lines: int, count: int) -> list[Source]:
    """The lines of a source, shuffled, as `count` portions of so many and one of the rest, which alone says the time."""
    left = source.path.read_bytes().splitlines(keepends=True)
    random.Random(count).shuffle(left)
    directory.mkdir(parents=True)
    cut = []
    for number in range(count + 1):
        path = directory / f"{number}.jsonl"
        path.write_bytes(b"".join(left[:lines] if number < count else left))
        del left[:lines]
        cut.append(source._replace(path=path, until=None if number < count else source.until))
    return cut


def _instant(text: str) -> int:
    found = instants.parse(text)
    assert found is not None
    return found
