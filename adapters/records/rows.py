"""The rows of a CSV file, one after the other: a file of a million lines takes no more memory than one of ten."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from adapters.records.cells import bare, lines_of
from gateway.core.faults import Text

SEPARATORS: Final = (",", ";", "\t")
#: Columns of a file, and characters of a row, at most.
MOST_COLUMNS: Final = 500
MOST_CELL: Final = 131_072
_MOST_ROW: Final = 1_000_000


class Row(NamedTuple):
    """One row: the number of its first line, its cells by the names of the columns (empty ones absent), or why not."""

    line: int
    cells: Mapping[str, str]
    raw: tuple[str, ...] = ()
    reason: str = ""
    wrong: Text | None = None


def rows_of(path: Path, encoding: str, separator: str) -> Generator[Row, None, None]:
    """The rows below the header, blank lines left out. What cannot be read is a row with ``wrong``.

    ``separator``: one of SEPARATORS, or ``auto``: the one that the header has most. Raises OSError.
    """
    with path.open("rb") as file, closing(lines_of(file, encoding)) as lines:
        counted = _Counted(lines)
        try:
            header, first = _header(counted, separator)
        except (UnicodeError, csv.Error, StopIteration):
            yield Row(1, {}, (), "unreadable-file", _UNREADABLE)
            return
        if header is None:
            yield Row(1, {}, (), "wrong-header", _HEADER)
            return
        yield from _below(counted, header, first)


class _Counted:
    """Lines with their count; what one row takes of them is bounded."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.count = 0
        self.taken = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += line.endswith(("\n", "\r"))
        self.taken += len(line)
        if self.taken > _MOST_ROW:
            raise csv.Error("a row without an end")
        return line


def _header(lines: _Counted, separator: str) -> tuple[list[str] | None, str]:
    line = next(lines)
    # A quoted name may hold a separator or a line's end: what is counted stands outside of quotes.
    outside = "".join(line.split('"')[::2])
    chosen = max(SEPARATORS, key=outside.count) if separator == "auto" else separator

    def again() -> Iterator[str]:
        yield line
        yield from lines

    header = [bare(name) for name in next(csv.reader(again(), delimiter=chosen))]
    while header and not header[-1]:
        header.pop()
    is_sound = 0 < len(header) <= MOST_COLUMNS and all(header) and len(set(header)) == len(header)
    return (header if is_sound else None), chosen


def _below(lines: _Counted, header: list[str], separator: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator)
    while True:
        line, lines.taken = lines.count + 1, 0
        try:
            raw = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Row(line, {}, (), "unreadable-row", _ENDLESS)
            continue
        except UnicodeError:
            yield Row(line, {}, (), "wrong-encoding", _ENCODING)
            return
        if not raw:
            continue
        told = tuple(raw[:MOST_COLUMNS])
        if len(raw) < len(header) or any(raw[len(header) :]):
            yield Row(line, {}, told, "wrong-count", _count(len(header), len(raw)))
            continue
        cells = {name: bare(cell) for name, cell in zip(header, raw, strict=False) if cell}
        if cells:
            yield Row(line, cells, told)


def _count(wanted: int, found: int) -> Text:
    return Text(
        f"Dòng có {found} ô, dòng tiêu đề có {wanted}. Cơ quan kiểm tra dấu phân cách và dấu ngoặc kép của dòng này.",
        f"The row has {found} cells, the header {wanted}. The agency must look at this row's separators and quotes.",
    )


_UNREADABLE: Final = Text(
    "Không đọc được dòng tiêu đề của tệp. Cơ quan kiểm tra bảng mã (thiết đặt encoding) và dòng đầu tiên.",
    "The file's header cannot be read. The agency must check its encoding (the setting encoding) and its first line.",
)
_HEADER: Final = Text(
    f"Dòng tiêu đề cần từ 1 đến {MOST_COLUMNS} tên cột, không trống, không trùng nhau. Cơ quan sửa tệp rồi gửi lại.",
    f"The header needs 1 to {MOST_COLUMNS} names, none empty, none twice. The agency must mend the file.",
)
_ENDLESS: Final = Text(
    "Dòng quá dài, thường do thiếu dấu ngoặc kép đóng. Cơ quan sửa dòng này và kiểm tra các dòng ngay sau.",
    "The row is too long, mostly for want of a closing quote. The agency must mend it, and look at those right after.",
)
_ENCODING: Final = Text(
    "Từ dòng này trở đi tệp không đúng bảng mã đã khai. Cơ quan xuất lại tệp theo UTF-8, hoặc sửa thiết đặt encoding.",
    "From this row on the file is not in the declared encoding. The agency must export it as UTF-8, or have the setting"
    " encoding mended.",
)
