"""The head of the shop's year, small enough for a moment: as a file of its own, and as what an interactions' topic would hold. And a Kairos in memory, as
the replay's own reader has it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from connectors.online_retail.source import READER
from connectors.runtime.sources import Ready, mapped
from streams.replay import sides
from streams.replay.reading import Message
from streams.replay.sides import Side
from tests.laws.memory import Memory
from tests.oracles import retail as oracle

CHANGELOG = "kairos-customers-changelog"
RETAIL = Path(__file__).parents[2] / "streams" / "journeys" / "retail.py"
UNTIL = "2011-12-02T12:00:00Z"
"""A year after the first invoices: some have left the segment again."""
LOWER = 400
"""Another threshold of `high_value` than the shop's."""


def head(path: Path, invoices: int) -> Path:
    """Write the first invoices of the year to a file as the shop's own."""
    with gzip.open(oracle.SHOP, "rt", encoding="utf-8", newline="") as whole, gzip.open(path, "wt", encoding="utf-8", newline="") as short:
        short.write(next(whole))
        for number, (_, lines) in enumerate(groupby(whole, lambda line: line.split(",", 1)[0])):
            if number == invoices:
                break
            short.writelines(lines)
    return path


def interactions(path: Path) -> list[bytes]:
    """The interactions of such a file."""
    return [one.value for one in mapped(READER, path) if isinstance(one, Ready)]


def lower(directory: Path) -> Path:
    """The shop's rules with the other threshold."""
    path = directory / "lower.py"
    path.write_text(RETAIL.read_text().replace(">= 5000,", f">= {LOWER},"))
    return path


def side(memory: Memory) -> Side:
    """What a Kairos in memory knew and said."""

    def read(topic: str) -> Iterator[Message]:
        if topic == CHANGELOG:
            return (Message(topic, partition, 0, key, row, (), 0) for partition, key, row in memory.changelog)
        return (Message(topic, 0, place, sent.key, sent.value, sent.headers, 0) for place, sent in enumerate(memory.log[topic]))

    return sides.read(read, CHANGELOG, {})
