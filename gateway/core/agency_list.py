"""A list of agencies from elsewhere: a hundred thousand lines as one text that is searched as it lies.

The text has four parts: the entries in order of codes, the aliases, the successors of closed codes, and the words by
which people look for an agency. Each part is sorted and searched by halving, so a list that was made once is in use as
soon as its bytes are there: nothing is taken apart and nothing is kept beside them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.core.agency import Agency
from gateway.core.codes import is_code

#: Entries of one list at most: the national directory has 123,265.
MAX_ENTRIES: Final = 300_000
#: Bytes of one list's text at most.
MAX_TEXT: Final = 256 * 2**20
LEVELS: Final = ("central", "province", "district", "commune", "enterprise")
#: The form of the text; a text of another form is made anew from its entries.
_FORM: Final = "lgsp agencies 1"
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


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One agency of a list: as :class:`Agency`, which cannot have systems here. No text in it holds a tab or line."""

    code: str
    name: str
    level: str = "province"
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    via: str | None = None
    closed: date | None = None
    successor: str | None = None

    def agency(self) -> Agency:
        """The agency that it describes."""
        return Agency(
            self.code, self.name, self.level, self.aliases, self.parent, (), self.via, self.closed, self.successor
        )

    def line(self) -> bytes:
        """The entry as it lies in a list."""
        closed = "" if self.closed is None else self.closed.isoformat()
        parts = (self.code, self.name, self.level, self.parent or "", " ".join(self.aliases), self.via or "", closed,
                 self.successor or "")  # fmt: skip
        return "\t".join(parts).encode()

    @classmethod
    def of_line(cls, line: bytes) -> Entry:
        """The entry of a line."""
        code, name, level, parent, aliases, via, closed, successor = line.decode().split("\t")
        day = date.fromisoformat(closed) if closed else None
        return cls(code, name, level, parent or None, tuple(aliases.split()), via or None, day, successor or None)


@dataclass(frozen=True, slots=True)
class AgencyList:
    """A list as it was approved: ``source`` says where it came from, ``digest`` (hex) tells its entries from others."""

    source: str
    digest: str
    count: int
    #: Systems that carry for agencies of the list.
    carriers: frozenset[str]
    _text: bytes
    #: Where the parts begin, and where the last one ends.
    _starts: tuple[int, ...]

    @classmethod
    def of(cls, source: str, entries: Iterable[Entry]) -> AgencyList:
        """The list of these entries; of two with one code the first counts. Raises ValueError where they are too many.

        An alias that is another entry's code or was taken before stays whose it was.
        """
        kept: dict[str, Entry] = {}
        for entry in entries:
            kept.setdefault(entry.code, entry)
        if len(kept) > MAX_ENTRIES:
            raise ValueError(f"{len(kept)} entries, {MAX_ENTRIES} is the most")
        lines = [kept[code].line() for code in sorted(kept)]
        carriers = sorted({entry.via for entry in kept.values() if entry.via})
        aliases: dict[str, str] = {}
        for code in sorted(kept):
            for alias in kept[code].aliases:
                if alias not in kept:
                    aliases.setdefault(alias, code)
        heirs = sorted((each.successor, each.code) for each in kept.values() if each.successor and each.closed)
        parts = (
            lines,
            [f"{alias}\t{aliases[alias]}".encode() for alias in sorted(aliases)],
            [f"{successor}\t{code}".encode() for successor, code in heirs],
            list(_words(kept[code] for code in sorted(kept))),
        )
        return cls._read(source, _written(carriers, parts))

    @classmethod
    def unpack(cls, source: str, packed: bytes) -> AgencyList:
        """The list that was packed; raises ValueError where the bytes are not one."""
        opener = zlib.decompressobj()
        try:
            text = opener.decompress(packed, MAX_TEXT)
        except zlib.error as error:
            raise ValueError(f"not a list of agencies: {error}") from None
        if not opener.eof:
            raise ValueError("not a list of agencies: it does not end")
        found = cls._read(source, text)
        # Of a text that another version of this program wrote the entries alone are understood, and that for ever.
        return found if text.startswith(f"{_FORM}\t".encode()) else cls.of(source, found.entries())

    def pack(self) -> bytes:
        """Its bytes, made small, for the ledger."""
        return zlib.compress(self._text, 6)

    @classmethod
    def _read(cls, source: str, text: bytes) -> AgencyList:
        head, _, _ = text.partition(b"\n")
        try:
            form, count, carriers, *lengths = head.decode().split("\t")
            sizes = [int(each) for each in lengths]
            if form.rpartition(" ")[0] != _FORM.rpartition(" ")[0]:
                raise ValueError(form)
        except ValueError:
            raise ValueError("not a list of agencies: its head cannot be read") from None
        starts = [len(head) + 2]
        for size in sizes:
            starts.append(starts[-1] + size + 1)
        if not sizes or starts[-1] != len(text) + 1:
            raise ValueError("not a list of agencies: it was cut")
        digest = hashlib.sha256(memoryview(text)[starts[0] : starts[1] - 1]).hexdigest()
        return cls(source, digest, int(count), frozenset(carriers.split()), text, tuple(starts))

    def entry(self, code: str) -> Entry | None:
        """The entry with this very code."""
        line = next(self._lines(0, code), None)
        return None if line is None else Entry.of_line(line)

    def owner(self, alias: str) -> str | None:
        """The code of the agency that this is another code of."""
        line = next(self._lines(1, alias), None)
        return None if line is None else line.partition(b"\t")[2].decode()

    @property
    def has_successions(self) -> bool:
        """Whether any of its agencies was succeeded by another."""
        first, end = self._bounds(2)
        return first < end

    def closed_for(self, code: str) -> tuple[str, ...]:
        """Codes of agencies that are closed, or will be, and whose successor is written as ``code``."""
        return tuple(line.partition(b"\t")[2].decode() for line in self._lines(2, code))

    def entries(self) -> Iterator[Entry]:
        """Every entry, in order of codes."""
        return map(Entry.of_line, self.lines())

    def lines(self) -> Iterator[bytes]:
        """Every entry as it lies, in order of codes."""
        at, end = self._bounds(0)
        while at < end:
            stop = self._text.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            yield self._text[at:stop]
            at = stop + 1

    def search(self, words: Sequence[str], after: str) -> Iterator[str]:
        """Codes behind ``after`` whose name, code or alias has a word beginning with each of these folded words."""
        text = self._text
        _, end = self._bounds(3)
        wanted = [f" {word}".encode() for word in words]
        sought = max(wanted, key=len, default=b"")
        at = self._place(3, after.encode("utf-8", "replace") + b"\n")  # a tab is below a line end: behind that code
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

    def _bounds(self, part: int) -> tuple[int, int]:
        return self._starts[part], self._starts[part + 1] - 1

    def _lines(self, part: int, key: str) -> Iterator[bytes]:
        """The lines of a part that begin with this key."""
        if not is_code(key):
            return
        sought = key.encode() + b"\t"
        _, end = self._bounds(part)
        at = self._place(part, sought)
        while at < end and self._text.startswith(sought, at):
            stop = self._text.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            yield self._text[at:stop]
            at = stop + 1

    def _place(self, part: int, sought: bytes) -> int:
        """Where the first line of a part begins that is not below ``sought``; the part's end where there is none."""
        text = self._text
        low, high = first, end = self._bounds(part)
        length = len(sought)
        while low < high:
            start = text.rfind(b"\n", first, (low + high) // 2) + 1 or first
            # what a short line's slice holds of the next one lies behind a tab, which is below every sign of a key
            if text[start : start + length] < sought:
                stop = text.find(b"\n", start, end)
                low = end if stop < 0 else stop + 1
            else:
                high = start
        return min(low, end)


def _written(carriers: Sequence[str], parts: Sequence[Sequence[bytes]]) -> bytes:
    """A head that tells how long each part is, a blank line, the parts."""
    said = [b"\n".join(part) for part in parts]
    head = "\t".join([_FORM, str(len(parts[0])), " ".join(carriers), *(str(len(each)) for each in said)])
    return b"\n".join([head.encode(), b"", *said])


def _words(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Lines of words, each with a space before it, behind the code."""
    some: list[Entry] = []
    for entry in entries:
        some.append(entry)
        if len(some) == _AT_ONCE:
            yield from _folded(some)
            some = []
    if some:
        yield from _folded(some)


def _folded(entries: Sequence[Entry]) -> Iterator[bytes]:
    # in one go: many names take a tenth of the time that they would take one by one
    said = fold("\n".join(" ".join((each.name, each.code, *each.aliases)) for each in entries))
    for entry, line in zip(entries, said.split("\n"), strict=True):
        yield f"{entry.code}\t {line.strip(' ')}".encode()
