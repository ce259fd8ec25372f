"""A Kafka in memory, as far as the end of a batch depends on one: changelogs, committed offsets, and who may still write.

The rule this module owns: what it has taken it keeps; who was overtaken is refused exactly where Kafka refuses him: in a transaction at every step,
without one only where an offset is committed.
"""

from collections import defaultdict
from typing import NamedTuple

Place = tuple[str, int]
"""A topic and the number of a partition."""


class Row(NamedTuple):
    """A record of a changelog."""

    offset: int
    key: bytes
    value: bytes | None


class Broker:
    """Changelogs by partition, the group's offsets and the number of times that each place was given to somebody."""

    def __init__(self, partitions: int) -> None:
        self.changelogs: list[list[Row]] = [[] for _ in range(partitions)]
        self.offsets: dict[Place, int] = defaultdict(int)
        self.generations: dict[Place, int] = defaultdict(int)

    def give(self, place: Place) -> int:
        """A place changes hands, or begins anew in the same ones: the generation of its owner from now on, who has fenced all before."""
        self.generations[place] += 1
        return self.generations[place]

    def is_current(self, place: Place, generation: int) -> bool:
        """Whether the owner of that generation still is the owner."""
        return self.generations[place] == generation

    def append(self, partition: int, rows: list[tuple[bytes, bytes | None]]) -> int:
        """Write rows to a changelog; the offset behind the last of them."""
        log = self.changelogs[partition]
        for key, value in rows:
            log.append(Row(len(log), key, value))
        return len(log)
