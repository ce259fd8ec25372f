"""Every system that is measured: a row says its name, what it promises, how it is run, and where its states can be read.

The rule this module owns: one process, one worker, one thread of work each, but for the rows that say two: there it is two of each, as the system has it
(processes, or threads of one). What tells rows of one program apart are its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILT = ROOT / "build" / "bench"
OURS = "engine-exactly-once"
OURS_TWICE = "engine-exactly-once-two"
LIMIT = "limit"
MEBIBYTE = 1 << 20


class Program(NamedTuple):
    """What is run: a module of `peers` in an environment of its own (None: the product's), or Java."""

    module: str
    environment: str | None
    java: bool = False


class States(NamedTuple):
    """The changelog topic by the run's and the input's name, and the customer in its keys; None: a row of the system's own."""

    topic: Callable[[str, str], str]
    customer: Callable[[bytes], bytes | None]


class System(NamedTuple):
    """A row of the table."""

    name: str
    label: str
    guarantee: str
    program: Program
    options: Mapping[str, str]
    states: States | None
    """None: there is no changelog; outputs alone are compared."""
    outputs: bool = True
    tells_end: bool = False
    """It keeps no offsets in Kafka, so it says itself when it is done."""
    is_small: bool = False
    """It gets the small input."""
    processes: int = 1
    """That share the work, each with a directory of its own."""
    beside: str = OURS
    """The row of this engine that it is compared with."""


def _engine_changelog(run: str, _: str) -> str:
    return f"{run}-customers-changelog"


def _quix_changelog(run: str, source: str) -> str:
    return f"changelog__{run}--{source}--default"


def _behind_the_tag(key: bytes) -> bytes | None:
    return key[1:] if key.startswith(b"c") else None


def _whole(key: bytes) -> bytes:
    return key


def _before_the_bar(key: bytes) -> bytes:
    return key.partition(b"|")[0]


_LIMIT = Program("limit", None)
_ENGINE = Program("engine", None)
_STREAMS = Program("kafka_streams", None, java=True)
_QUIX = Program("quix", "quix")
_BYTEWAX = Program("bytewax_flow", "bytewax")
_FAUST = Program("stock_faust", "stock_faust")
_OURS = States(_engine_changelog, _behind_the_tag)
_JAVAS = States(_engine_changelog, _whole)
_LARGE = {"cache_bytes": str(100 * MEBIBYTE)}
_TWO_THREADS = {"threads": "2"}
_ONCE, _AT_LEAST = "exactly once", "at least once"

SYSTEMS = (
    System(LIMIT, "reading and parsing alone", "none", _LIMIT, {}, None, outputs=False, tells_end=True),
    System(OURS, "this engine", _ONCE, _ENGINE, {"guarantee": "exactly_once"}, _OURS),
    System("engine-at-least-once", "this engine", _AT_LEAST, _ENGINE, {"guarantee": "at_least_once"}, _OURS),
    System(
        "streams-exactly-once-large",
        "Kafka Streams, 100 MiB cache",
        f"{_ONCE} v2",
        _STREAMS,
        {"guarantee": "exactly_once_v2", **_LARGE},
        _JAVAS,
    ),
    System(
        "streams-at-least-once-large", "Kafka Streams, 100 MiB cache", _AT_LEAST, _STREAMS, {"guarantee": "at_least_once", **_LARGE}, _JAVAS
    ),
    System("streams-exactly-once", "Kafka Streams, default cache", f"{_ONCE} v2", _STREAMS, {"guarantee": "exactly_once_v2"}, _JAVAS),
    System("streams-at-least-once", "Kafka Streams, default cache", _AT_LEAST, _STREAMS, {"guarantee": "at_least_once"}, _JAVAS),
    System(OURS_TWICE, "this engine, two workers", _ONCE, _ENGINE, {"guarantee": "exactly_once"}, _OURS, processes=2, beside=OURS_TWICE),
    System(
        "streams-exactly-once-two",
        "Kafka Streams, 100 MiB cache, two threads",
        f"{_ONCE} v2",
        _STREAMS,
        {"guarantee": "exactly_once_v2", **_LARGE, **_TWO_THREADS},
        _JAVAS,
        beside=OURS_TWICE,
    ),
    System(
        "streams-at-least-once-two",
        "Kafka Streams, 100 MiB cache, two threads",
        _AT_LEAST,
        _STREAMS,
        {"guarantee": "at_least_once", **_LARGE, **_TWO_THREADS},
        _JAVAS,
        beside=OURS_TWICE,
    ),
    System("quix-exactly-once", "Quix Streams", _ONCE, _QUIX, {"guarantee": "exactly-once"}, States(_quix_changelog, _before_the_bar)),
    System("quix", "Quix Streams", _AT_LEAST, _QUIX, {"guarantee": "at-least-once"}, States(_quix_changelog, _before_the_bar)),
    System("bytewax-recovery", "Bytewax, recovery in SQLite", _AT_LEAST, _BYTEWAX, {"recovery": "on"}, None, tells_end=True),
    System("bytewax", "Bytewax, no recovery", "none", _BYTEWAX, {"recovery": "off"}, None, tells_end=True),
    System("faust", "stock Faust, RocksDB", "loses data", _FAUST, {}, States(_engine_changelog, _whole), is_small=True),
)
