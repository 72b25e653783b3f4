"""Letters put together: NFC, in a time that grows with the text and not with its square.

Marks behind a letter are sorted by their kind before they are joined to it, and the usual way of sorting takes the
square of their number: a text of a quarter million marks would keep a processor for a minute. No writing has letters
of more than thirty marks (Unicode's stream-safe format, UAX #15), so a text with such a letter is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: The most marks that a letter may have.
MOST_MARKS: Final = 30
#: Where so many marks could stand side by side: none is below U+0300.
_SUSPECT: Final = re.compile(f"[\u0300-\U0010ffff]{{{MOST_MARKS + 1},}}")


def composed(text: str) -> str:
    """``text`` in NFC; as it stands where a letter in it has more than MOST_MARKS marks."""
    return text if text.isascii() or _is_overloaded(text) else unicodedata.normalize("NFC", text)


def _is_overloaded(text: str) -> bool:
    for run in _SUSPECT.finditer(text):
        marks = 0
        for letter in run[0]:
            marks = marks + 1 if unicodedata.combining(letter) else 0
            if marks > MOST_MARKS:
                return True
    return False
