"""Instants are whole microseconds since 1970 in UTC; text only at the edges."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""A day is 24 elapsed hours: durations know no calendar."""

Instant = int
"""Microseconds since 1970-01-01T00:00:00Z."""
Duration = int
"""Microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # It is only added to, for an isoformat without an offset.
_CACHED = 1 << 16


@lru_cache(_CACHED)
def text(instant: Instant) -> str:
    """Write an instant as RFC 3339 in UTC, with as many decimals (0, 3 or 6) as it needs."""
    fraction = instant % SECOND
    spec = "seconds" if not fraction else "milliseconds" if not fraction % 1000 else "microseconds"
    return (_NAIVE_EPOCH + timedelta(microseconds=instant)).isoformat(timespec=spec) + "Z"


def parse(written: str) -> Instant | None:
    """Read RFC 3339 (a missing offset is UTC); None where it is no instant between the years 1 and 9999."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        since = moment - _EPOCH
    except OverflowError:
        return None
    return (since.days * 86400 + since.seconds) * SECOND + since.microseconds
