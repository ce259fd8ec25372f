"""What a guarantee is made of: a kind of producer, and the way a batch ends.

The rule: nothing else asks which guarantee it is, but for the reading of the changelog, which has to tell what counts (table.py).
"""

from __future__ import annotations

from streams.engine.acknowledged import Acknowledged
from streams.engine.batch import Batch
from streams.engine.ending import Ending
from streams.engine.journal import Journal
from streams.engine.producer import AcknowledgedProducer, FencedProducer
from streams.engine.settings import EngineSettings
from streams.engine.shared import Shared
from streams.engine.table import Table
from streams.engine.transaction import Transaction

AnyProducer = FencedProducer | AcknowledgedProducer


def producer_of(settings: EngineSettings, topic: str, number: int) -> AnyProducer:
    """The one producer of one partition, not started."""
    kind = FencedProducer if settings.guarantee == "exactly_once" else AcknowledgedProducer
    return kind(settings, f"{settings.app_id}-{topic}-{number}")


def ending_of(batch: Batch, producer: AnyProducer, table: Table | None, position: int, shared: Shared) -> Ending:
    """The end of a batch before which the input was read to `position`; `table` is None where it has no rows."""
    changelog = None if table is None else table.changelog
    if isinstance(producer, FencedProducer):
        return Transaction(producer, shared.failpoint, changelog, shared.output_partitions)
    journal = Journal() if table is None else table.journal
    seconds_max = shared.settings.transaction_timeout_ms / 1000
    return Acknowledged(
        producer, shared.failpoint, changelog, shared.output_partitions, shared.transport, batch.token, journal, position, seconds_max
    )
