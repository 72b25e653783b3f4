"""A text as SMS: without marks where that is wanted, how many segments it takes, cut where it takes too many. Pure.

GSM-7 (3GPP TS 23.038) has 160 characters in one message and 153 in each of several; one character outside it makes the
whole text UCS-2, with 70 and 67. Nine characters of GSM-7 count twice.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE: Final = frozenset("^{}\\[~]|€")
#: What has no plain letter below its marks.
_PLAIN: Final = str.maketrans(
    {"đ": "d", "Đ": "D", "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "`": "'", "•": "-"}
)
_END: Final = "..."


def without_marks(text: str) -> str:
    """``text`` with the letters of Vietnamese as plain ones; what GSM-7 does not have becomes a question mark."""
    parts = unicodedata.normalize("NFD", text.translate(_PLAIN))
    plain = unicodedata.normalize("NFC", "".join(each for each in parts if not unicodedata.combining(each)))
    return "".join(each if each in _BASIC or each in _TWICE else "?" for each in plain)


def segments(text: str) -> int:
    """How many messages the provider sends, and bills, for ``text``; at least 1."""
    is_gsm = all(each in _BASIC or each in _TWICE for each in text)
    one, several = (160, 153) if is_gsm else (70, 67)
    widths = [(2 if each in _TWICE else 1) if is_gsm else (2 if ord(each) > 0xFFFF else 1) for each in text]
    if sum(widths) <= one:
        return 1
    count, room = 1, several
    for width in widths:
        # What counts twice is not torn in two.
        if width > room:
            count, room = count + 1, several
        room -= width
    return count


def cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` segments: where it is longer it ends in three dots, at the end of a word."""
    if segments(text) <= most:
        return text
    low, high = 0, min(len(text), 160 * most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if segments(text[:middle] + _END) <= most else (low, middle - 1)
    kept = text[:low]
    word = kept.rpartition(" ")[0] if low < len(text) and not text[low].isspace() else kept
    return (word or kept).rstrip(" ,.;:-") + _END
