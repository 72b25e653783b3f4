"""The folder in which the agency drops CSV files: each is taken aside, read row by row, and kept once all is settled.

Taken aside by a rename once it stands still, so a file of the same name may follow at once. Which rows are settled is
noted beside it; where the note is lost, rows come to the bus once more, which knows each by what it is.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.records.cells import encoded, guarded, opening
from adapters.records.mapping import Inward, digest_of
from adapters.records.rows import Row, rows_of
from gateway.core.content import pieces_of
from gateway.core.faults import PROBLEMS, Text
from gateway.core.handover import Collected, Uncollectable
from gateway.core.moments import VIET_NAM

_WORKING: Final = ".working"
_DONE: Final = ".done"
_REFUSED: Final = ".refused"
_UNFINISHED: Final = (".tmp", ".part", ".filepart", ".crdownload")
_LONGEST_NAME: Final = 150
#: Files that are read side by side.
MOST_OPEN: Final = 20

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """How files are read. ``repeats``: whether a row of another file is another message (``per-file``) or not."""

    encoding: str
    separator: str
    settle_seconds: float
    largest: int
    repeats: str
    identity: tuple[str, ...]


@dataclass(slots=True)
class Open:
    """The file that is being read: its rows that wait to be settled, by their lines, and what is settled of it."""

    path: Path
    mark: str
    stamp: Stamp
    rows: Generator[Row, None, None]
    #: Lines of which it was noted, before the file was opened, that they are settled: a byte each.
    ahead: bytearray = field(default_factory=bytearray)
    waiting: OrderedDict[int, Row] = field(default_factory=OrderedDict)
    is_read: bool = False
    at: int = 0


class Inbox:
    """The way in. Its methods block, and raise OSError where the folder cannot be used."""

    def __init__(self, folder: Path, terms: Terms, inward: Inward, now: Callable[[], float]) -> None:
        self._folder, self._terms, self._inward, self._now = folder, terms, inward, now
        self._seen: dict[str, tuple[Stamp, float]] = {}
        self._open: list[Open] = []

    def items(self, limit: int) -> list[Collected | Uncollectable]:
        """Rows that are not settled, in their order; the same again until they are."""
        found: list[Collected | Uncollectable] = []
        for each in list(self._open):
            stamp = _stamp_of(each.path)
            if stamp != each.stamp:
                each.rows.close()
                self._open.remove(each)
                # Another process may have finished it; otherwise its writer had not, and it is another file now.
                if stamp is not None:
                    self._open.append(self._opened(each.path))
        for each in list(self._open):
            found += self._items(each, limit - len(found))
        while len(found) < limit and len(self._open) < MOST_OPEN and (more := self._next()) is not None:
            self._open.append(more)
            found += self._items(more, limit - len(found))
        return found

    def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note that a row is done with; a refused one is written beside, with the reason. Other tokens are nobody's."""
        mark, _, written = token.partition(":")
        if not written.isdigit():
            return
        while not any(each.mark == mark for each in self._open) and (left := self._left()) is not None:
            self._open.append(left)
        for each in [each for each in self._open if each.mark == mark]:
            self._fill(each, to_line=int(written))
            row = each.waiting.get(int(written))
            if row is not None:
                self._settle(each, row, refusal)

    def close(self) -> None:
        """Let go of the files."""
        for each in self._open:
            each.rows.close()
        self._open.clear()

    def _items(self, found: Open, limit: int) -> list[Collected | Uncollectable]:
        self._fill(found, rows=limit)
        if found.is_read and not found.waiting:
            self._finish(found)
        return [self._item(found, row) for row in list(found.waiting.values())[: max(limit, 0)]]

    def _settle(self, found: Open, row: Row, refusal: tuple[str, Text] | None) -> None:
        if refusal is not None:
            self._refuse(found, row, refusal)
        with found.path.with_name(f"{found.path.name}.settled").open("ab") as notes:
            notes.write(b"%d\n" % row.line)
        del found.waiting[row.line]
        self._fill(found, rows=1)
        if found.is_read and not found.waiting:
            self._finish(found)

    # ---------------------------------------------------------------------------------------------- one file

    def _left(self) -> Open | None:
        """The first file taken aside that is not open; one that was left by a process that ended, too."""
        working = self._folder / _WORKING
        open_now = {each.path for each in self._open}
        for path in sorted(working.iterdir()) if working.is_dir() else []:
            if not path.name.endswith(".settled") and path not in open_now:
                return self._opened(path)
        return None

    def _next(self) -> Open | None:
        if (left := self._left()) is not None:
            return left
        for name, stamp in self._finished():
            target = self._folder / _WORKING / f"{stamp[1]:020d}-{_short(name)}"
            target.parent.mkdir(exist_ok=True)
            if target.exists():
                continue
            os.replace(self._folder / name, target)  # noqa: PTH105 - the rename is what takes it aside
            return self._opened(target)
        return None

    def _opened(self, path: Path) -> Open:
        stamp = _stamp(path.stat())
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for piece in pieces_of(file):
                digest.update(piece)
        terms = self._terms
        if stamp[0] > terms.largest:
            rows = _too_large_row(terms.largest)
        else:
            rows = rows_of(path, terms.encoding, terms.separator)
        found = Open(path, digest.hexdigest()[:32], stamp, rows)
        notes = path.with_name(f"{path.name}.settled")
        if notes.exists():
            with notes.open("rb") as lines:
                for line in lines:
                    # No line has a number beyond the bytes of its file.
                    if line.endswith(b"\n") and line[:-1].isdigit() and (number := int(line)) <= stamp[0] + 1:
                        found.ahead.extend(bytes(max(0, number + 1 - len(found.ahead))))
                        found.ahead[number] = 1
        return found

    def _fill(self, found: Open, *, rows: int = 0, to_line: int = 0) -> None:
        """Read on until so many rows wait, and to this line."""
        while not found.is_read and (len(found.waiting) < rows or found.at < to_line):
            row = next(found.rows, None)
            if row is None:
                found.is_read, found.ahead = True, bytearray()
                return
            found.at = row.line
            if row.line >= len(found.ahead) or not found.ahead[row.line]:
                found.waiting[row.line] = row

    def _item(self, found: Open, row: Row) -> Collected | Uncollectable:
        token = f"{found.mark}:{row.line}"
        if row.wrong is not None:
            return Uncollectable(token, row.reason, row.wrong)
        own = {name: row.cells.get(name, "") for name in self._terms.identity} or row.cells
        identity = [digest_of(own), *([found.mark] if self._terms.repeats == "per-file" else [])]
        return self._inward.message(row.cells, token=token, identity=identity, now=self._now())

    def _refuse(self, found: Open, row: Row, refusal: tuple[str, Text]) -> None:
        """One line in the table beside: where, why, what stood there. Noted before it counts as settled."""
        folder = self._folder / _REFUSED
        folder.mkdir(exist_ok=True)
        reason, detail = refusal
        title = PROBLEMS.get(reason, Text("", ""))
        cells = [
            str(row.line),
            reason,
            f"{title.vi}. {detail.vi}".lstrip(". "),
            f"{title.en}. {detail.en}".lstrip(". "),
        ]
        path = folder / f"{_plain(found.path)}.{found.mark[:8]}.refused.csv"
        is_new = not path.exists()
        with path.open("ab") as file:
            if is_new:
                file.write(
                    opening("utf-8") + line_of(["line", "reason", "lý do", "reason (English)", "row"], ",", "utf-8")
                )
            file.write(line_of([*cells, *row.raw], ",", "utf-8"))
            file.flush()
            os.fsync(file.fileno())

    def _finish(self, found: Open) -> None:
        day = datetime.fromtimestamp(self._now(), VIET_NAM).date().isoformat()
        folder = self._folder / _DONE / day
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / _plain(found.path)
        if target.exists():
            target = folder / f"{found.mark[:8]}-{found.path.name}"
        os.replace(found.path, target)  # noqa: PTH105 - nothing is left of it where it was
        with contextlib.suppress(FileNotFoundError):
            found.path.with_name(f"{found.path.name}.settled").unlink()
        found.rows.close()
        self._open.remove(found)

    def _finished(self) -> list[tuple[str, Stamp]]:
        """Files that stood still long enough, the oldest first."""
        now = self._now()
        found: dict[str, tuple[Stamp, float]] = {}
        ready: list[tuple[str, Stamp]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "~")) or entry.name.lower().endswith(_UNFINISHED):
                    continue
                with contextlib.suppress(OSError):
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    stamp = _stamp(entry.stat(follow_symlinks=False))
                    known = self._seen.get(entry.name)
                    since = min(known[1], now) if known is not None and known[0] == stamp else now
                    found[entry.name] = (stamp, since)
                    if now - since >= self._terms.settle_seconds:
                        ready.append((entry.name, stamp))
        self._seen = found
        return sorted(ready, key=lambda each: (each[1][1], each[0]))


def line_of(cells: list[str], separator: str, encoding: str) -> bytes:
    """One line of a CSV file: every cell guarded and in quotes. Raises UnicodeEncodeError."""
    sink = _Line()
    csv.writer(sink, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(guarded, cells))
    return encoded(sink.text, encoding)


class _Line:
    """Takes one line."""

    text = ""

    def write(self, text: str) -> None:
        """Keep it."""
        self.text += text


def _stamp(state: os.stat_result) -> Stamp:
    return (state.st_size, state.st_mtime_ns, state.st_ino)


def _stamp_of(path: Path) -> Stamp | None:
    try:
        return _stamp(path.stat())
    except FileNotFoundError:
        return None


def _short(name: str) -> str:
    return name.encode("utf-8", "backslashreplace")[-_LONGEST_NAME:].decode(errors="ignore")


def _plain(path: Path) -> str:
    """The name that the agency gave it."""
    return path.name.partition("-")[2]


def _too_large_row(largest: int) -> Generator[Row, None, None]:
    yield Row(1, {}, (), "too-large", _too_large(largest))


def _too_large(largest: int) -> Text:
    return Text(
        f"Tệp lớn hơn {largest} byte. Cơ quan chia nhỏ tệp, hoặc đề nghị đơn vị vận hành trục nâng max_mebibytes.",
        f"The file is over {largest} bytes. The agency must cut it up, or ask the operator to raise max_mebibytes.",
    )
