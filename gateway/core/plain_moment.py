"""A moment in whichever of the plain forms software writes it: what has no zone is Viet Nam's time. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.core.forms import read_moment, write_moment
from gateway.core.moments import parse_moment

#: No two of these can be mistaken for each other.
_FORMS: Final = ("iso-date-time", "vn-date-time", "slash-date-time", "compact-date-time")
_ZONELESS: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?\Z", re.ASCII)
_VIET_NAM: Final = timedelta(hours=7)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 253_402_300_799_000


def written(value: Any) -> str | None:
    """The moment as RFC 3339 at +07:00; None where ``value`` is no moment in a form that is known.

    Read are RFC 3339, ``dd/MM/yyyy HH:mm:ss``, ``yyyy/MM/dd HH:mm:ss``, ``yyyyMMddHHmmss``, ISO without a zone, and
    ``{"$date": ...}`` around one of these or around milliseconds since 1970.
    """
    if isinstance(value, dict) and set(value) == {"$date"}:
        value = value["$date"]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST:
            return _at(value // 1000)
    if not isinstance(value, str):
        return None
    if (zoneless := _ZONELESS.match(value.strip())) is not None:
        value = f"{zoneless[1]}T{zoneless[2]}+07:00"
    for form in _FORMS:
        moment = read_moment(value.strip(), form, _VIET_NAM)
        if moment is not None and 1970 <= moment.year < 9999:
            return write_moment(moment, "iso-date-time", _VIET_NAM)
    return None


def seconds(at: str) -> float:
    """A moment that ``written`` wrote as seconds since 1970."""
    return parse_moment(at) or 0.0


def _at(second: int) -> str:
    return write_moment(_EPOCH + timedelta(seconds=second), "iso-date-time", _VIET_NAM)
