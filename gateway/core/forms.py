"""The written forms of days, moments and numbers that a translation may turn into each other.

A closed list, not a pattern language: each form is read strictly (ASCII digits, no spare blank) and anything
else is simply not of that form.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

#: Forms of a day and of a moment without offset; letters stand for digits, all else for itself.
_TEMPLATES: Final = {
    "iso-date": "yyyy-MM-dd",
    "vn-date": "dd/MM/yyyy",
    "slash-date": "yyyy/MM/dd",
    "vn-date-time": "dd/MM/yyyy HH:mm:ss",
    "slash-date-time": "yyyy/MM/dd HH:mm:ss",
    "compact-date": "yyyyMMdd",
    "compact-date-time": "yyyyMMddHHmmss",
}
_RFC3339: Final = "yyyy-MM-ddTHH:mm:ss"
#: Every form of a day or moment by its name in a rule file.
DATE_FORMS: Final = frozenset({*_TEMPLATES, "iso-date-time"})
#: ``integer`` is a JSON number, ``text`` plain digits, ``grouped`` thousands with dots as written in Vietnam.
NUMBER_FORMS: Final = frozenset({"integer", "text", "grouped"})
_LONGEST_NUMBER: Final = 18


def _fields(text: str, template: str) -> dict[str, int] | None:
    found: dict[str, str] = {}
    if len(text) != len(template):
        return None
    for letter, sign in zip(text, template, strict=True):
        if sign in "yMdHms":
            if letter not in "0123456789":
                return None
            found[sign] = found.get(sign, "") + letter
        elif letter != sign:
            return None
    return {sign: int(digits) for sign, digits in found.items()}


def _offset(text: str) -> timedelta | None:
    if text in {"Z", "z"}:
        return timedelta()
    fields = _fields(text[1:], "HH:mm")
    if text[:1] not in {"+", "-"} or fields is None or fields["H"] > 23 or fields["m"] > 59:
        return None
    size = timedelta(hours=fields["H"], minutes=fields["m"])
    return -size if text[0] == "-" else size


def read_offset(text: str) -> timedelta | None:
    """The offset written as ``+07:00`` or ``Z``, or None."""
    return _offset(text)


def read_moment(value: Any, form: str, offset: timedelta) -> datetime | None:
    """The moment that ``value`` names in ``form``, or None; where the form has no offset, ``offset`` holds."""
    if not isinstance(value, str):
        return None
    zone: timedelta | None = offset
    text, template = value, _TEMPLATES.get(form, _RFC3339)
    if form == "iso-date-time":
        text, rest = value[: len(_RFC3339)].replace("t", "T"), value[len(_RFC3339) :]
        if rest[:1] == ".":
            digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
            rest = rest[1 + digits :] if digits else rest
        zone = _offset(rest)
    fields = _fields(text, template)
    if fields is None or zone is None:
        return None
    try:
        return datetime(
            fields["y"], fields["M"], fields["d"],
            fields.get("H", 0), fields.get("m", 0), fields.get("s", 0),
            tzinfo=timezone(zone),
        )  # fmt: skip
    except ValueError:
        return None


def write_moment(moment: datetime, form: str, offset: timedelta) -> str:
    """``moment`` in ``form``, as the clock shows it at ``offset``."""
    try:
        here = moment.astimezone(timezone(offset))
    except OverflowError:  # the first or last day that a calendar of four-digit years knows
        here = moment
    parts = {"y": f"{here.year:04}", "M": f"{here.month:02}", "d": f"{here.day:02}",
             "H": f"{here.hour:02}", "m": f"{here.minute:02}", "s": f"{here.second:02}"}  # fmt: skip
    text = _TEMPLATES.get(form, _RFC3339)
    for sign, digits in parts.items():
        text = text.replace(sign * len(digits), digits)
    return text + (here.isoformat()[-6:] if form == "iso-date-time" else "")


def read_day(value: Any) -> date | None:
    """The day of an ISO date or of an RFC 3339 moment (as its own clock shows it), or None."""
    form = "iso-date" if isinstance(value, str) and len(value) == len(_TEMPLATES["iso-date"]) else "iso-date-time"
    moment = read_moment(value, form, timedelta())
    return None if moment is None else moment.date()


def read_number(value: Any, form: str) -> int | None:
    """The whole number that ``value`` names in ``form``, or None; at most 18 digits."""
    if form == "integer":
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) >= 1e18:  # noqa: PLR0124
            return None
        return int(value) if value == int(value) else None
    if not isinstance(value, str):
        return None
    digits = value.removeprefix("-")
    if form == "grouped":
        groups = digits.split(".")
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
            return None
        digits = "".join(groups)
    if not 1 <= len(digits) <= _LONGEST_NUMBER or not (digits.isascii() and digits.isdigit()):
        return None
    return -int(digits) if value.startswith("-") else int(digits)


def write_number(number: int, form: str, width: int) -> Any:
    """``number`` in ``form``; plain text is filled with zeros up to ``width`` digits."""
    if form == "integer":
        return number
    if form == "grouped":
        return f"{number:,}".replace(",", ".")
    return f"{number:0{width + (number < 0)}}"
