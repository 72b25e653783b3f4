"""Vietnamese mobile numbers as people write them, made comparable. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

#: How a number is written to somebody: 0912345678, 84912345678 or +84912345678.
PhoneForm = Literal["local", "international", "plus"]

#: What stands before the nine digits that make a number itself.
_PREFIXES: Final = ("0084", "84", "0")
_BETWEEN: Final = re.compile(r"[\s.\-()\u00a0\u2011]+")
_SEVERAL: Final = re.compile(r"[;,/|\n]")
#: Prefixes of mobile networks since the renumbering of 2018; two to the left of them are fixed lines.
_MOBILE: Final = re.compile(r"[35789]\d{8}\Z", re.ASCII)
#: Longer is no number, nor a list of some.
_LONGEST: Final = 100
#: How many of the last digits tell a phone from others, whatever stands before them.
TAIL: Final = 9
_WRITTEN: Final[dict[PhoneForm, str]] = {"local": "0", "international": "84", "plus": "+84"}


def mobile(text: str) -> str | None:
    """The nine digits of the first mobile number in ``text`` (``0912 345 678; 0297…``); None where there is none."""
    if len(text) > _LONGEST:
        return None
    return next((found for part in _SEVERAL.split(text) if (found := _mobile(part))), None)


def _mobile(text: str) -> str | None:
    digits = _BETWEEN.sub("", text)
    if digits.startswith("+"):
        digits = digits[1:] if digits.startswith("+84") else ""
    for prefix in _PREFIXES:
        rest = digits.removeprefix(prefix)
        # +84 (0)912… is written by many.
        rest = rest.removeprefix("0") if prefix != "0" and len(rest) == TAIL + 1 else rest
        if rest != digits and _MOBILE.match(rest):
            return rest
    return None


def written(nine: str, form: PhoneForm) -> str:
    """A number of nine digits as ``form`` wants it."""
    return _WRITTEN[form] + nine


def last_digits(text: str, count: int) -> str:
    """The last ``count`` ASCII digits of whatever ``text`` holds; empty where it has fewer."""
    digits = "".join(each for each in text[:_LONGEST] if each.isascii() and each.isdigit())
    return digits[-count:] if len(digits) >= count else ""
