"""A list of agencies from elsewhere: a hundred thousand lines as one text that is searched as it lies.

The text has four parts: the entries in order of codes, the aliases, the successors of closed codes, and the words by
which people look for an agency. Each part is sorted and searched by halving, so a list that was made once is in use as
soon as its bytes are there: nothing is taken apart and nothing is kept beside them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.core.agency import Agency
from gateway.core.agency_words import Words, fold, lines_of_words, place_of
from gateway.core.codes import is_code

__all__ = ["LEVELS", "MAX_ENTRIES", "MAX_TEXT", "AgencyList", "Entry", "fold"]

#: Entries of one list at most: the national directory has 123,265.
MAX_ENTRIES: Final = 300_000
#: Bytes of one list's text at most.
MAX_TEXT: Final = 256 * 2**20
LEVELS: Final = ("central", "province", "district", "commune", "enterprise")
#: The form of the text; a text of another form is made anew from its entries.
_FORM: Final = "lgsp agencies 1"


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
            list(lines_of_words((code, kept[code].name, kept[code].aliases) for code in sorted(kept))),
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
        return Words(self._text, *self._bounds(3)).search(words, after)

    def _bounds(self, part: int) -> tuple[int, int]:
        return self._starts[part], self._starts[part + 1] - 1

    def _lines(self, part: int, key: str) -> Iterator[bytes]:
        """The lines of a part that begin with this key."""
        if not is_code(key):
            return
        sought = key.encode() + b"\t"
        _, end = self._bounds(part)
        at = place_of(self._text, *self._bounds(part), sought)
        while at < end and self._text.startswith(sought, at):
            stop = self._text.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            yield self._text[at:stop]
            at = stop + 1


def _written(carriers: Sequence[str], parts: Sequence[Sequence[bytes]]) -> bytes:
    """A head that tells how long each part is, a blank line, the parts."""
    said = [b"\n".join(part) for part in parts]
    head = "\t".join([_FORM, str(len(parts[0])), " ".join(carriers), *(str(len(each)) for each in said)])
    return b"\n".join([head.encode(), b"", *said])
