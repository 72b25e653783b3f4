"""Dates and moments of edXML: ``yyyy/MM/dd`` officially, in the field written in half a dozen ways."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from gateway.core.moments import VIET_NAM

_TIME: Final = (
    r"(?:[T ]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r" ?(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEAR_FIRST: Final = re.compile(r"(?P<year>[0-9]{4})[/.-](?P<month>[0-9]{1,2})[/.-](?P<day>[0-9]{1,2})" + _TIME)
_DAY_FIRST: Final = re.compile(r"(?P<day>[0-9]{1,2})[/.-](?P<month>[0-9]{1,2})[/.-](?P<year>[0-9]{4})" + _TIME)
_OFFICIAL_DATE: Final = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}")
_OFFICIAL_MOMENT: Final = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Dated(NamedTuple):
    """A date or moment as ISO 8601, and whether it was written in the official form."""

    iso: str
    official: bool


def _instant(text: str) -> datetime | None:
    if len(text) > 64:
        return None
    match = _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    zone = match["zone"]
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=VIET_NAM)
        if zone is None:
            return local
        ahead = timedelta() if zone in "Zz" else timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        return local + timedelta(hours=7) - (-ahead if zone[0] == "-" else ahead)
    except (ValueError, OverflowError):
        return None


def read_date(text: str) -> Dated | None:
    """The day that ``text`` names; None where it names none or one that does not exist (30 February).

    Taken: year or day first, with ``/``, ``-`` or ``.``, also with a time behind. What carries a zone is moved
    to Viet Nam's time first.
    """
    instant = _instant(text)
    return None if instant is None else Dated(instant.date().isoformat(), bool(_OFFICIAL_DATE.fullmatch(text)))


def read_moment(text: str) -> Dated | None:
    """The moment that ``text`` names, in Viet Nam's time to the second; None where it names none."""
    instant = _instant(text)
    return (
        None
        if instant is None
        else Dated(instant.isoformat(timespec="seconds"), bool(_OFFICIAL_MOMENT.fullmatch(text)))
    )


def looks_dated(text: str) -> bool:
    """Whether ``text`` has the form of a date, be it a possible one or not."""
    return len(text) <= 64 and bool(_YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text))


def write_date(iso: str) -> str | None:
    """``2015-09-30`` as ``2015/09/30``; None where ``iso`` is not such a date."""
    if not _ISO_DATE.fullmatch(iso):
        return None
    try:
        return date.fromisoformat(iso).isoformat().replace("-", "/")
    except ValueError:
        return None


def write_moment(iso: str) -> str | None:
    """An ISO 8601 moment as ``yyyy/MM/dd HH:mm:ss`` in Viet Nam's time; one without zone is taken as such already."""
    try:
        moment = datetime.fromisoformat(iso)
        # Not astimezone alone: it goes by way of UTC, where the first hours of year 1 do not exist.
        here = moment.utcoffset() in {None, VIET_NAM.utcoffset(None)}
        local = moment if here else moment.astimezone(VIET_NAM)
    except (ValueError, OverflowError):
        return None
    # strftime does not pad a year before 1000; isoformat does.
    return local.replace(tzinfo=None).isoformat(" ", timespec="seconds").replace("-", "/")
