"""What an engine is told: every knob, its unit, and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

MEBIBYTE = 1 << 20
RECORD_OVERHEAD_BYTES = 128
"""More than a record costs beside its key, value and headers, batch header included."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One engine: one consumer group, one directory of state, one guarantee."""

    app_id: str
    """The consumer group, and the beginning of every transactional id and changelog topic."""
    bootstrap: str
    """host:port, several separated by commas."""
    state_dir: Path
    """Where the stores lie, a directory for each topic and partition. Workers may share it: a store is closed before its partition moves."""
    partitions: int | None = None
    """How many partitions every source topic must have; None takes what they have, as long as it is the same."""
    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """exactly_once: a transaction a batch. at_least_once: without (acknowledged.py): rows count once, outputs may come again; no way back for a changelog."""
    administered: bool = True
    """False: a broker that cannot be administered, with topics that are there from its start and gone with it (librdkafka's mock)."""
    instance_id: str | None = None
    """Static membership: a worker that comes back within the session time-out with this id keeps its partitions without a rebalance."""
    topic_prefix: str = ""
    """Put before every topic that an agent reads or writes; they go on saying its bare name. The group and the changelogs are named by `app_id`."""
    replayed: bool = False
    """What `batch.clock.replayed` says."""
    tick_seconds: float | None = 1.0
    """Every stateful partition gets a batch without records this often; None: never (the replay clock)."""

    batch_records_max: int = 4000
    batch_bytes_max: int = 4 * MEBIBYTE
    """Keys and values of one batch; a single record may exceed it."""
    batch_seconds_max: float = 0.1
    """How long a batch's work should take: the number of records follows the measured pace."""
    fetch_bytes_max: int = 4 * MEBIBYTE
    """A fetch brings at most this much of one partition."""
    fetch_wait_ms: int = 10
    """How long the broker may wait for more before it answers a fetch."""
    record_bytes_max: int = 4 * MEBIBYTE - 1024
    """The largest record a decision may write; the topics' max.message.bytes is to be 4 MiB."""

    cache_bytes: int = 256 * MEBIBYTE
    """Rows kept in memory as they are encoded, all partitions of a worker together: what they occupy, keys and entries with them."""
    block_cache_bytes: int = 32 * MEBIBYTE
    """RocksDB's cache of blocks, shared by all stores."""
    write_buffer_bytes: int = 64 * MEBIBYTE
    """RocksDB's memtables, all stores together."""

    transaction_timeout_ms: int = 10_000
    """Kafka aborts a transaction that is open for longer; what a dead worker left open hides what follows it for no longer than this."""
    session_timeout_seconds: float = 10.0
    """A worker that is silent for this long has lost its partitions."""
    heartbeat_seconds: float = 1.0
    """How soon a worker hears that another has come or gone; at most a third of the session time-out."""
    rebalance_timeout_seconds: float = 30.0
    """How long a rebalance waits for a worker to finish the batches in hand."""
    changelog_replication: int = -1
    """Copies of a changelog topic that the engine creates; -1 is the broker's default."""

    standbys: int = 0
    """So many other workers keep a warm copy of each partition's rows (as far as there are others), and take over without a full restore. The same in all
    workers of an app; each needs a `state_dir` of its own then."""

    scrub_seconds: float = 30.0
    """So long after a batch whose decision says `scrub` the files of its store are written anew (scrub.py); more than a transaction may take."""
    stuck_seconds: float = 120.0
    """With work to do and the broker there, nothing moving for half of this is not alive, for all of it ends the process."""
    stop_seconds: float = 10.0
    """A stop takes at most this long, whatever the broker does."""
    failpoint: str | None = None
    """`name:hit:action` (failpoints.py); None takes it from the environment, KAIROS_FAILPOINT."""
