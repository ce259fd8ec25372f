"""librdkafka's mock cluster in a process of its own, for tests and for a look. It forgets: 5 MiB a partition, in memory, the oldest dropped without a word.

It starts in milliseconds and speaks Kafka's protocol, but knows no compaction, no retention, no offsets by time, no CreateTopics, and shows aborted
transactions. So its topics are given at its start.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker.errors import BrokerUnavailable

_PRODUCER = 0
_ERROR_BYTES = 512


class MockBroker:
    """A mock cluster with the given topics, {name: partitions}; it ends with the program that started it, however that ends."""

    def __init__(self, topics: Mapping[str, int], brokers: int = 1) -> None:
        self.bootstrap = ""
        self._topics = dict(topics)
        self._brokers = brokers
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when the mock listens."""
        command = [sys.executable, "-c", "from streams.broker import mock; mock.serve()", str(self._brokers), json.dumps(self._topics)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.bootstrap = self._process.stdout.readline().strip()
        if not self.bootstrap:
            raise BrokerUnavailable(f"The mock broker did not start (exit code {self._process.wait()}).")

    def stop(self) -> None:
        """The mock ends and everything in it is gone; harmless while it does not run."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def serve() -> None:
    """The mock's own process: prints its address, then lives until standard input ends."""
    brokers, topics = int(sys.argv[1]), json.loads(sys.argv[2])
    library = _library()
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    configuration = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(configuration, b"log_level", b"2", error, _ERROR_BYTES)  # It would say that it knows no broker.
    client = library.rd_kafka_new(_PRODUCER, configuration, error, _ERROR_BYTES)
    if not client:
        sys.exit(error.value.decode())
    cluster = library.rd_kafka_mock_cluster_new(client, brokers)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    for name, partitions in topics.items():
        library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    sys.stdin.read()
    library.rd_kafka_mock_cluster_destroy(cluster)
    library.rd_kafka_destroy(client)


def _library() -> ctypes.CDLL:
    """The librdkafka inside confluent-kafka's wheel, with the signatures that `serve` calls."""
    import confluent_kafka

    package = Path(confluent_kafka.__file__).parent
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    if not found:
        raise BrokerUnavailable("confluent-kafka carries no librdkafka of its own here; the mock needs the wheel.")
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[object, list[object]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
