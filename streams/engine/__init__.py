"""Faust at the broker's speed, exactly once: an event is one batch of one partition, finished by one Kafka transaction. Knows nothing of customers."""

from streams.engine.batch import Batch, Clock, Record, Says
from streams.engine.engine import Engine
from streams.engine.errors import EngineError
from streams.engine.failpoints import FAIL_POINTS
from streams.engine.metrics import Metrics
from streams.engine.settings import EngineSettings
from streams.engine.shared import Progress

__all__ = ["FAIL_POINTS", "Batch", "Clock", "Engine", "EngineError", "EngineSettings", "Metrics", "Progress", "Record", "Says"]
