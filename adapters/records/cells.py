"""One cell and its letters: formulas kept from waking up in a spreadsheet, encodings in and out. Pure.

A guarded cell comes back as what it was: a mark is put before what a spreadsheet would run, and taken off again.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Generator, Iterable, Iterator
from typing import BinaryIO, Final

from gateway.core.edxml.encodings import SINGLE, composed_pieces

#: What a spreadsheet takes for the beginning of a formula, also in the wide letters of East Asia.
_RUNS: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_MARKED: Final = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+([.,][0-9]+)*\Z")
#: A line is cut here: one without an end must not fill the memory. Whoever reads rows refuses what is so long.
LONGEST_LINE: Final = 1_000_001
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def guarded(text: str) -> str:
    """The cell as it may stand in a file: nothing in it runs. Plain numbers with a sign stay as they are."""
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.match(text) else text


def bare(text: str) -> str:
    """The cell without the mark that :func:`guarded` puts there."""
    return text[1:] if _MARKED.match(text) else text


def encoding_named(name: str) -> str | None:
    """What Python calls an encoding that may be declared: UTF-8, UTF-16, one byte a letter; None for another."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if found in SINGLE or found in {"utf-8", "utf-16", "utf-16-le", "utf-16-be"} else None


def lines_of(file: BinaryIO, declared: str) -> Generator[str, None, None]:
    """The lines of a file as text, their ends kept; the file is closed. Its first bytes say more than ``declared``.

    Raises UnicodeError where the bytes are not what they are declared to be.
    """
    head = file.read(3)
    file.seek(0)
    name = next((each for mark, each in _MARKS if head.startswith(mark)), declared)
    with io.TextIOWrapper(file, encoding=name, errors="strict", newline="") as text:
        lines: Iterable[str] = _bounded(text)
        if name in SINGLE:
            lines = _lines(composed_pieces(iter(lines)))
        for number, line in enumerate(lines):
            yield line.removeprefix("\ufeff") if number == 0 else line


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        yield line


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces of text cut into lines again."""
    held = ""
    for piece in pieces:
        *whole, held = [*io.StringIO(held + piece, newline="")] or [""]
        yield from whole
        # A carriage return may be half of a line's end.
        if held.endswith("\n") or len(held) >= LONGEST_LINE:
            yield held
            held = ""
    if held:
        yield held


def encoded(text: str, name: str) -> bytes:
    """``text`` in an encoding, without a mark at its beginning; raises UnicodeEncodeError for what it cannot say."""
    if name not in SINGLE:
        return text.encode({"utf-16": "utf-16-le"}.get(name, name))
    try:
        return text.encode(name)
    except UnicodeEncodeError:
        return "".join(_split(letter, name) for letter in text).encode(name)


def opening(name: str) -> bytes:
    """What a file in this encoding begins with: old spreadsheets know UTF-8 and UTF-16 by it."""
    return {"utf-8": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_LE, "utf-16-le": codecs.BOM_UTF16_LE,
            "utf-16-be": codecs.BOM_UTF16_BE}.get(name, b"")  # fmt: skip


def _split(letter: str, name: str) -> str:
    """A letter as its base and a tone mark, where the encoding has these and not the whole (windows-1258)."""
    whole = unicodedata.normalize("NFD", letter)
    base, marks = whole[:1], whole[1:]
    for place, mark in enumerate(marks):
        rest = unicodedata.normalize("NFC", base + marks[:place] + marks[place + 1 :])
        try:
            f"{rest}{mark}".encode(name)
        except UnicodeEncodeError:
            continue
        return f"{rest}{mark}"
    return letter
