"""Instants in connectors: whole microseconds since 1970 in UTC; RFC 3339 at the edges."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


def since_epoch(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    elapsed = moment - EPOCH
    return (elapsed.days * 86400 + elapsed.seconds) * SECOND + elapsed.microseconds


def rfc3339(instant: int) -> str:
    """Write an instant in UTC, with as many decimals (0, 3 or 6) as it needs."""
    fraction = instant % SECOND
    precision = "seconds" if not fraction else "milliseconds" if not fraction % 1000 else "microseconds"
    return (EPOCH + timedelta(microseconds=instant)).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
