"""Instants are whole microseconds since 1970 in UTC; text only at the edges."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""A day is 24 elapsed hours: durations know no calendar."""

_WORDS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"), (1, "microsecond"))

Instant = int
"""Microseconds since 1970-01-01T00:00:00Z."""
Duration = int
"""Microseconds."""

# A number is told by its size: each unit holds from 1973 (1970 for seconds) to 5138.
_UNITS: tuple[tuple[float, int], ...] = ((1e11, SECOND), (1e14, 1_000), (1e17, 1))
_NUMERIC_LENGTHS = frozenset({10, 13, 16})
"""Digits of a written number of seconds, milliseconds or microseconds in this age; fewer are a year or a day."""

LATEST: Instant = 253_402_300_800 * SECOND - 1
"""The last instant that text can say: the year 9999 ends."""

_LEAP = re.compile(r"(?P<minute>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)60(?P<rest>\D.*)?", re.ASCII)
_LOWER = re.compile(r"[0-9Tt:.,Zz+-]+", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = _EPOCH.toordinal()
_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]
_SECONDS = [f":{second:02d}" for second in range(60)]
_THOUSANDTHS = [f"{number:03d}" for number in range(1000)]
_CACHED = 1 << 16


@lru_cache(_CACHED)
def text(instant: Instant) -> str:
    """Write an instant as RFC 3339 in UTC, with as many decimals (0, 3 or 6) as it needs; what is later than LATEST, as that."""
    instant = min(instant, LATEST)
    seconds, fraction = divmod(instant, SECOND)
    days, second = divmod(seconds, 86400)
    minute, second = divmod(second, 60)
    written = _day(days) + _MINUTES[minute] + _SECONDS[second]
    if not fraction:
        return written + "Z"
    milliseconds, rest = divmod(fraction, 1000)
    return f"{written}.{_THOUSANDTHS[milliseconds]}{_THOUSANDTHS[rest]}Z" if rest else f"{written}.{_THOUSANDTHS[milliseconds]}Z"


def span(duration: Duration) -> str:
    """Write a duration in the largest unit of which it is a whole number: `30 days`, `1 hour`, `90 minutes`."""
    unit, name = next((unit, name) for unit, name in _WORDS if duration % unit == 0)
    number = duration // unit
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


@lru_cache(_CACHED)
def _day(days: int) -> str:
    return date.fromordinal(_EPOCH_DAY + days).isoformat()


def parse(written: str) -> Instant | None:
    """Read RFC 3339 (a missing offset is UTC); None where it is no instant between the years 1 and 9999. A leap second, `:60`, is the one after it."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return _seldom(written)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment - _EPOCH) // _MICROSECOND
    except OverflowError:
        return None


def _seldom(written: str) -> Instant | None:
    """Read what RFC 3339 allows and few write: a lower-case `t` or `z`, a leap second."""
    leap = _LEAP.fullmatch(written)
    if leap is not None:
        before = parse(f"{leap['minute']}59{leap['rest'] or ''}")
        return None if before is None or before > LATEST - SECOND else before + SECOND
    usual = written.upper()
    return parse(usual) if usual != written and _LOWER.fullmatch(written) else None


def read(said: str | int | float) -> Instant | None:
    """Read RFC 3339 text, or a number of seconds, milliseconds or microseconds since 1970, also as text; None where it is none of them."""
    if isinstance(said, str):
        if len(said) in _NUMERIC_LENGTHS and said.isascii() and said.isdigit():
            return read(int(said))
        return parse(said)
    for limit, microseconds in _UNITS:
        if -limit < said < limit:
            return round(said * microseconds)
    return None
