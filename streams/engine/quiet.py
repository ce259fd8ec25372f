"""Loggers of the libraries below: warnings only (of kafka-python, which looks at topics at the start, errors only), the same one once in ten seconds.

Debug records cost time even where nobody reads them, and a client without a broker says so hundreds of times a second.
"""

from __future__ import annotations

import logging
import time

LIBRARIES = {"faust": logging.WARNING, "aiokafka": logging.WARNING, "mode": logging.WARNING, "kafka": logging.ERROR}
REPEAT_SECONDS = 10.0


class Sparse(logging.Filter):
    """Lets a message through once in ten seconds, whatever its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        said = (record.name, str(record.msg))
        if now - self._said_at.get(said, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._said_at[said] = now
        return True


def quieten() -> None:
    """Set the levels, and filter every logger of these libraries that exists by now."""
    sparse = Sparse()
    for name in [*LIBRARIES, *logging.root.manager.loggerDict]:
        if name.split(".")[0] in LIBRARIES:
            logger = logging.getLogger(name)
            if name in LIBRARIES:
                logger.setLevel(LIBRARIES[name])
            if not any(isinstance(each, Sparse) for each in logger.filters):
                logger.addFilter(sparse)
