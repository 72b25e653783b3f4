"""Entries of a list of agencies as others write them: a CSV file, or what a system tells; every mistake is named."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from gateway.core.agency_list import LEVELS, MAX_ENTRIES, AgencyList, Entry
from gateway.core.codes import is_code
from gateway.core.faults import Text
from gateway.core.letters import composed

#: Bytes of a CSV file at most.
MAX_CSV: Final = 64 * 2**20
#: Mistakes that are told at most; the rest are of the same making.
MAX_TOLD: Final = 200
_MAX_NAME: Final = 512
_MAX_ALIASES: Final = 50
_BETWEEN: Final = re.compile(r"[\s,;|]+")
_DAY_FIRST: Final = re.compile(r"([0-3]?[0-9])/([01]?[0-9])/([0-9]{4})\Z")


@dataclass(frozen=True, slots=True)
class Told:
    """Something about one entry: where it stands (a line of the file, the number of the item), and what."""

    place: int
    what: Text


@dataclass(frozen=True, slots=True)
class Reading:
    """The entries that can be used, in the order in which they came, and what is wrong with the others."""

    entries: tuple[Entry, ...]
    mistakes: tuple[Told, ...]
    #: All of them; ``mistakes`` are no more than MAX_TOLD.
    wrong: int = 0


def read_csv(content: bytes, *, via: str | None = None) -> Reading:
    """The entries of a CSV file in UTF-8 with or without BOM; its separator is a comma, a semicolon or a tab.

    The first line names the columns: ``code`` and ``name``, and ``parent``, ``level``, ``aliases``, ``closed``,
    ``successor``, ``via`` where they are told; others are for people. ``via`` carries for all that name nobody.
    """
    gathering = _Gathering()
    if len(content) > MAX_CSV:
        said = f"{MAX_CSV // 2**20} MiB"
        gathering.wrong(0, f"tệp lớn hơn {said}", f"the file is over {said}")
        return gathering.done()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        gathering.wrong(line, "không phải UTF-8; hãy lưu lại tệp dạng CSV UTF-8", "not UTF-8: save it as CSV UTF-8")
        return gathering.done()
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if not {"code", "name"} <= set(names):
            gathering.wrong(
                1, "dòng đầu phải có cột code và name", "the first line must name the columns code and name"
            )
            return gathering.done()
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                gathering.wrong(rows.line_num, f"có {len(row)} ô, cần {len(names)}",
                                f"{len(row)} cells where there must be {len(names)}")  # fmt: skip
                continue
            gathering.take(rows.line_num, dict(zip(names, row, strict=True)), via)
    except csv.Error as error:
        gathering.wrong(rows.line_num, f"không đọc được CSV: {error}", f"not CSV: {error}")
    return gathering.done()


def read_told(items: Iterable[Mapping[str, Any]], *, via: str, old: AgencyList | None, day: date) -> Reading:
    """The entries that a system tells; ``via`` carries for them. A level that is not known here counts as none.

    One that is told to be closed without a day (``is_closed``), or since today, is closed since it was so on the
    ``old`` list, or else since ``day``: a list that says the same every day is the same list.
    """
    gathering = _Gathering()
    for place, item in enumerate(items, 1):
        told = dict(item)
        if told.get("level") not in LEVELS:
            told["level"] = None
        today = told.get("is_closed") is True and not told.get("closed")
        if today or told.get("closed") == day.isoformat():
            before = old.entry(str(told.get("code"))) if old is not None else None
            told["closed"] = (before.closed if before is not None and before.closed else day).isoformat()
        gathering.take(place, told, via)
    return gathering.done()


class _Gathering:
    """Entries as they come, with what is wrong about some of them."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, Entry]] = {}
        self._mistakes: list[Told] = []
        self._wrong = 0

    def wrong(self, place: int, vi: str, en: str) -> None:
        """Note a mistake."""
        self._wrong += 1
        if len(self._mistakes) < MAX_TOLD:
            self._mistakes.append(Told(place, Text(vi, en)))

    def take(self, place: int, said: Mapping[str, Any], via: str | None) -> None:
        """Take an entry, or note what is wrong with it."""
        try:
            entry = _entry(said, via)
        except _Mistake as mistake:
            self.wrong(place, mistake.what.vi, mistake.what.en)
            return
        if entry.code in self._entries:
            first = self._entries[entry.code][0]
            self.wrong(place, f"mã {entry.code} đã có ở {first}", f"the code {entry.code} is at {first} already")
        elif len(self._entries) >= MAX_ENTRIES:
            if len(self._entries) == MAX_ENTRIES:
                self.wrong(place, f"nhiều hơn {MAX_ENTRIES} cơ quan", f"more than {MAX_ENTRIES} agencies")
        else:
            self._entries[entry.code] = (place, entry)

    def done(self) -> Reading:
        """Everything, but for entries whose successors lead back to themselves or whose aliases are taken."""
        owners: dict[str, str] = {code: code for code in self._entries}
        for code, (place, entry) in list(self._entries.items()):
            if self._leads_back(entry):
                self.wrong(place, f"kế thừa của {code} đi vòng", f"the successors of {code} lead back to it")
                del self._entries[code]
            for alias in entry.aliases:
                owner = owners.setdefault(alias, code)
                if owner != code:
                    self.wrong(place, f"mã {alias} của {code} đã thuộc {owner}",
                               f"the code {alias} of {code} is {owner}'s already")  # fmt: skip
        entries = tuple(entry for _, entry in self._entries.values())
        return Reading(entries, tuple(self._mistakes), self._wrong)

    def _leads_back(self, entry: Entry) -> bool:
        seen, at = {entry.code}, entry.successor
        while at is not None and at in self._entries:
            if at in seen:
                return at == entry.code
            seen.add(at)
            at = self._entries[at][1].successor
        return False


class _Mistake(Exception):
    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.what = Text(vi, en)


def _entry(said: Mapping[str, Any], via: str | None) -> Entry:
    code = _code(said, "code")
    if code is None:
        raise _Mistake("thiếu mã (code)", "there is no code")
    name = composed(" ".join(_text(said, "name").split()))
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise _Mistake(f"{code}: tên trống, quá {_MAX_NAME} ký tự hoặc có ký tự lạ",
                       f"{code}: the name is empty, over {_MAX_NAME} characters or has odd ones")  # fmt: skip
    level = _text(said, "level") or "province"
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        raise _Mistake(f"{code}: không có cấp {level[:50]}, chỉ có {known}", f"{code}: no level {level[:50]}; {known}")
    closed, successor = _day(code, _text(said, "closed")), _code(said, "successor")
    if successor is not None and closed is None:
        raise _Mistake(f"{code}: có kế thừa thì phải có ngày đóng (closed)", f"{code}: a successor needs a day: closed")
    if successor == code:
        raise _Mistake(f"{code}: không thể tự kế thừa", f"{code}: nobody succeeds itself")
    carrier = _text(said, "via") or via
    return Entry(code, name, level, _code(said, "parent"), _aliases(said, code), carrier, closed, successor)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _Mistake(f"{name} không phải văn bản", f"{name} is no text")
    return str(value).strip()


def _code(said: Mapping[str, Any], name: str) -> str | None:
    written = _text(said, name)
    if not written:
        return None
    if not is_code(written):
        raise _Mistake(f"{name} {written[:80]!r} không phải mã định danh", f"{name} {written[:80]!r} is no code")
    return written


def _aliases(said: Mapping[str, Any], code: str) -> tuple[str, ...]:
    written = said.get("aliases") or ()
    parts = _BETWEEN.split(written.strip()) if isinstance(written, str) else written
    found: dict[str, None] = {}
    for each in parts:
        if not isinstance(each, str) or (each and not is_code(each)):
            raise _Mistake(f"{code}: mã khác {str(each)[:80]!r} không dùng được", f"{code}: alias {str(each)[:80]!r}")
        if each and each != code:
            found[each] = None
    if len(found) > _MAX_ALIASES:
        raise _Mistake(f"{code}: quá {_MAX_ALIASES} mã khác", f"{code}: over {_MAX_ALIASES} other codes")
    return tuple(sorted(found))


def _day(code: str, written: str) -> date | None:
    """A day as ISO or as people write it: 2025-07-01, 01/07/2025."""
    if not written:
        return None
    day_first = _DAY_FIRST.match(written)
    try:
        if day_first is not None:
            return date(int(day_first[3]), int(day_first[2]), int(day_first[1]))
        return date.fromisoformat(written)
    except ValueError:
        raise _Mistake(f"{code}: ngày đóng {written[:20]!r} không đúng, ví dụ 2025-07-01",
                       f"{code}: closed {written[:20]!r} is no day such as 2025-07-01") from None  # fmt: skip
