"""The line between the pure code and the engine: what a batch brings, what a decision says.

The rule this module owns: same records, rows and clock give the same decision. The engine meets these by shape and imports none of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

R = TypeVar("R")

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One record of a topic, as the engine hands it over."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


class Clock(Protocol):
    """The wall clock, read once for a batch (microseconds UTC), and whether the world is being replayed."""

    @property
    def now(self) -> int: ...
    @property
    def replayed(self) -> bool: ...


class Kind(Generic[R]):
    """A kind of row: the tag its keys begin with, how its value is written and read, and whether a row that was used is soon used again."""

    __slots__ = ("cached", "decode", "encode", "name", "tag")

    def __init__(self, name: str, tag: bytes, encode: Callable[[R], bytes], decode: Callable[[bytes], R], cached: bool = True) -> None:
        self.name = name
        self.cached = cached
        self.tag = tag
        self.encode = encode
        self.decode = decode


class Rows(Protocol):
    """A view of one partition's rows: the batch's own writes over what is stored. Rows are values: none is changed in place."""

    def holds(self, key: bytes) -> bool:
        """Whether messages with this key come to this partition (else: send one)."""

    def get(self, kind: Kind[R], keys: Sequence[bytes]) -> list[R | None]: ...
    def scan(self, kind: Kind[R], first: bytes, end: bytes) -> Iterator[tuple[bytes, R]]:
        """Rows with first <= key < end in the order of their keys; rows may be put while it runs."""

    def put(self, kind: Kind[R], key: bytes, row: R | None) -> None:
        """Write a row; None deletes it."""


class Outgoing(NamedTuple):
    """A record to be sent; without a partition the key decides (murmur2, as Kafka's own producers do)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


Tally = Mapping[tuple[str, ...], int]
"""Counts by (name, label value...), names from schemas/metrics.py; counted only once the batch is committed."""


Gauges = Mapping[tuple[str, ...], float]
"""What stands at so much now, by (name, label value...)."""
Since = Mapping[tuple[str, ...], Sequence[int]]
"""When what is now done began (microseconds UTC), by (name, label value...): the time up to the commit is what a histogram observes."""


class Dials(NamedTuple):
    """What a batch has to tell beside counts; all names from schemas/metrics.py. `news`: lines for the log, once it is committed."""

    gauges: Gauges = {}
    since: Since = {}
    news: Sequence[str] = ()


class Decision(NamedTuple):
    """What a batch led to: the records to send, in order, and the counts to add. Rows were put on the way."""

    send: Sequence[Outgoing]
    tally: Tally
    scrub: bool = False
    """What was deleted or replaced is to leave no trace in the files of the partition's store."""
    dials: Dials = Dials()
