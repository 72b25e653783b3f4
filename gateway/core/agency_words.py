"""The words by which people look for an agency: a sorted text of one line an agency, searched as it lies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_MARKS: Final = re.compile("[\u0300-\u036f]+")
_BETWEEN: Final = re.compile(r"[^\w.\n]+")
#: Names are folded so many at a time: nothing else runs meanwhile.
_AT_ONCE: Final = 500
#: Lines with the word looked for, but not with all others, before another word is looked for.
_MISSES: Final = 500


def fold(text: str) -> str:
    """Words in small letters without accents, one space between: ``Sở Y tế – Đắk Lắk`` -> ``so y te dak lak``.

    Tone and vowel marks go; đ counts as d, and so does the ð that some keyboards write for it. Line ends and the dots
    of codes stay.
    """
    plain = _MARKS.sub("", unicodedata.normalize("NFD", text.casefold())).replace("đ", "d").replace("ð", "d")
    return _BETWEEN.sub(" ", plain).strip(" ")


def lines_of_words(agencies: Iterable[tuple[str, str, Sequence[str]]]) -> Iterator[bytes]:
    """For each (code, name, aliases): a line with its folded words, a space before each of them, behind the code."""
    some: list[tuple[str, str]] = []
    for code, name, aliases in agencies:
        some.append((code, " ".join((name, code, *aliases))))
        if len(some) == _AT_ONCE:
            yield from _folded(some)
            some = []
    if some:
        yield from _folded(some)


def _folded(some: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    # in one go: many names take a tenth of the time that they would take one by one
    said = fold("\n".join([text for _, text in some]))
    for (code, _), line in zip(some, said.split("\n"), strict=True):
        yield f"{code}\t {line.strip(' ')}".encode()


@dataclass(frozen=True, slots=True)
class Words:
    """Lines of words in order of codes, from ``first`` to ``end`` of a text."""

    text: bytes
    first: int
    end: int

    @classmethod
    def of(cls, agencies: Iterable[tuple[str, str, Sequence[str]]]) -> Words:
        """The words of these agencies, given as (code, name, aliases) in order of codes."""
        text = b"\n".join(lines_of_words(agencies))
        return cls(text, 0, len(text))

    def search(self, words: Sequence[str], after: str) -> Iterator[str]:
        """Codes behind ``after`` whose line has a word beginning with each of these folded words."""
        text, end = self.text, self.end
        wanted = [f" {word}".encode() for word in words]
        sought = max(wanted, key=len, default=b"")
        # a tab is below a line end, so this is behind that code
        at = place_of(text, self.first, end, after.encode("utf-8", "replace") + b"\n")
        misses = 0
        while at < end:
            hit = text.find(sought, at, end)
            if hit < 0:
                return
            start = text.rfind(b"\n", at, hit) + 1 or at
            stop = text.find(b"\n", hit, end)
            at = (end if stop < 0 else stop) + 1
            code, _, said = text[start : at - 1].partition(b"\t")
            if all(word in said for word in wanted):
                yield code.decode()
                continue
            misses += 1
            if misses == _MISSES:
                # the longest word is a common one: go on with the rarest of what is left
                sought = min(wanted, key=lambda word: text.count(word, at, end))


def place_of(text: bytes, first: int, end: int, sought: bytes) -> int:
    """Where the first of the sorted lines from ``first`` to ``end`` begins that is not below ``sought``; else ``end``.

    A line begins with its key and a tab, and no sign of a key is below a tab.
    """
    low, high = first, end
    length = len(sought)
    while low < high:
        start = text.rfind(b"\n", first, (low + high) // 2) + 1 or first
        # what a short line's slice holds of the next one lies behind a tab
        if text[start : start + length] < sought:
            stop = text.find(b"\n", start, end)
            low = end if stop < 0 else stop + 1
        else:
            high = start
    return min(low, end)
