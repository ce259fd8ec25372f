"""What Kafka answers that passes by itself: while it starts, elects its leaders, or client and broker know different ones.

The rule this module owns: such an answer is never an error; who asks asks again until its time is over.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")

PAUSE_SECONDS = 0.1
LEADERLESS = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
"""Of a topic that was just made, or a Kafka that has just started."""
PASSING = LEADERLESS | {
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
"""The same, of a group too."""


def asked(ask: Callable[[], T], seconds_max: float) -> T:
    """What Kafka answers, for at most so many seconds asked again while it says what passes. Raises KafkaException."""
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)
