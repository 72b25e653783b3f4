"""Moments in time as the bus writes and reads them: RFC 3339 outside, seconds since 1970 (UTC) inside."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

#: The legal time of Viet Nam. Dates in agreements and official documents are dates there.
VIET_NAM: Final = timezone(timedelta(hours=7), "+07:00")

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}):(\d{2})(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII
)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What can be written in UTC again, with milliseconds.
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC).timestamp()
_END: Final = _LAST + 0.001
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_moment(text: str) -> float | None:
    """An RFC 3339 date-time with offset as seconds since 1970; None where ``text`` is not one.

    A leap second counts as the last instant before it; digits beyond microseconds are cut. What lies outside
    the years 1 to 9999 in UTC is no moment here, so :func:`format_moment` can write whatever this reads.
    """
    match = _RFC3339.match(text)
    if match is None:
        return None
    day, minute, second, fraction, offset = match.groups()
    leap = second == "60"
    zone = "+00:00" if offset in "Zz" else offset
    micro = ((fraction or "") + "000000")[:6] if not leap else "999999"
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}.{micro}{zone}").timestamp()
    except (ValueError, OverflowError):
        return None
    return min(moment, _LAST) if _FIRST <= moment <= _END else None


def format_moment(moment: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds, e.g. ``2026-11-22T01:02:03.456Z``."""
    second, milliseconds = divmod(round(moment * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    """A whole second in UTC; the same few are written again and again."""
    return (_EPOCH + timedelta(seconds=second)).isoformat().removesuffix("+00:00")


def day_of(moment: float) -> date:
    """The calendar day in Viet Nam at ``moment``."""
    return datetime.fromtimestamp(moment, tz=VIET_NAM).date()


def parse_duration(text: str) -> float | None:
    """``"5s"``, ``"250ms"``, ``"1h"``, ``"14d"`` as seconds; None where ``text`` is not such a duration."""
    match = _DURATION.match(text)
    return None if match is None else float(match.group(1)) * _UNITS[match.group(2)]
