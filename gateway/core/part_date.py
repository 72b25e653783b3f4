"""A day, month or year as far sides write it, and as the bus does: ``YYYY[-MM[-DD]]``, no more than is known. Pure.

Of many people only the year of birth is on record: a day that nobody wrote is never made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final, Literal

Precision = Literal["day", "month", "year"]
PRECISIONS: Final[tuple[Precision, ...]] = ("year", "month", "day")
#: How many letters of the bus's form each has.
_LENGTH: Final[dict[Precision, int]] = {"year": 4, "month": 7, "day": 10}
#: What is written after the day is left out: a moment's day is meant.
FORMS: Final = frozenset({
    "yyyyMMdd", "yyyyMM", "yyyy", "dd/MM/yyyy", "MM/yyyy", "yyyy-MM-dd", "yyyy-MM", "dd/MM/yyyy HH:mm:ss",
    "yyyyMMddHHmmss", "yyyy-MM-ddTHH:mm:ss", "dd-MM-yyyy",
})  # fmt: skip


def read_part(value: Any, forms: Iterable[str], known: Precision = "day") -> str | None:
    """The date as the bus writes it, cut to ``known``; None where it has none of the forms, or is no date.

    What is written beyond ``known`` (zeros, as a rule) is not looked at.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    for form in forms:
        parts = _parts(text, form, known)
        if parts is not None:
            return parts
    return None


def precision_of(part: str) -> Precision | None:
    """How much a date of the bus's says; None where it is none."""
    for precision, length in _LENGTH.items():
        if len(part) == length and _parts(part, "yyyy-MM-dd"[:length]) == part:
            return precision
    return None


def write_part(part: str, form: str) -> str | None:
    """A date of the bus's in ``form``; None where the form wants more than is known."""
    known = precision_of(part)
    if known is None or form not in FORMS:
        return None
    digits = {"yyyy": part[:4], "MM": part[5:7], "dd": part[8:10], "HH": "00", "mm": "00", "ss": "00"}
    text = form
    for sign, value in digits.items():
        if sign in text and not value:
            return None
        text = text.replace(sign, value)
    return text


def _parts(text: str, form: str, known: Precision = "day") -> str | None:
    if len(text) != len(form):
        return None
    found: dict[str, str] = {}
    for letter, sign in zip(text, form, strict=True):
        if sign in "yMdHms":
            if letter not in "0123456789":
                return None
            found[sign] = found.get(sign, "") + letter
        elif letter != sign:
            return None
    found = {sign: found[sign] for sign in "yMd"[: PRECISIONS.index(known) + 1] if sign in found}
    try:
        date(int(found["y"]), int(found.get("M", 1)), int(found.get("d", 1)))
    except ValueError:
        return None
    return "-".join(found[sign] for sign in found)
