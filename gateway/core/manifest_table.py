"""A system's manifest as a table of text (CSV), as old software can write it: one message a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.core.faults import Rejected, Text, Violation
from gateway.core.reconciliation import Direction, read_digest, read_id

#: Bytes and rows of one table at most.
LARGEST: Final = 64 * 1024 * 1024
MOST: Final = 500_000
_NAMES: Final = ("id", "digest", "contract", "direction")
_LONGEST_CONTRACT: Final = 100
_SHOWN: Final = 20


class Row(NamedTuple):
    """One message; ``contract`` is empty where the table does not say it."""

    id: str
    digest: str
    contract: str
    direction: Direction


def read_table(content: bytes, direction: Direction = "received") -> Sequence[Row]:
    """The rows of a table in UTF-8; ``direction`` holds for those that do not say theirs.

    Columns by the names in the first row (id, digest, contract, direction; others are left alone), or without such a
    row the id alone, in the first one. Separated by comma, semicolon or tab. Raises Rejected with the wrong rows.
    """
    if len(content) > LARGEST:
        raise _refused("", "tệp quá 64 MiB", "the file is over 64 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("", "tệp phải là UTF-8", "the file must be UTF-8") from None
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    places: dict[str, int] | None = None
    rows: list[Row] = []
    wrong: list[Violation] = []
    try:
        for number, cells in enumerate(table, 1):
            if not any(cell.strip() for cell in cells):
                continue
            if places is None:
                names = [cell.strip().lower() for cell in cells]
                places = {name: names.index(name) for name in _NAMES if name in names}
                if "id" in places:
                    continue
                places = {"id": 0}
            row = _row(cells, places, direction)
            if row is None:
                wrong.append(Violation(f"/{number}", "row", Text("dòng không đọc được", "this row cannot be read")))
                if len(wrong) >= _SHOWN:
                    break
            else:
                rows.append(row)
            if len(rows) > MOST:
                raise _refused("", "quá 500000 dòng", "over 500,000 rows")
    except csv.Error:
        raise _refused("", "tệp không phải CSV", "the file is no CSV") from None
    if wrong:
        raise Rejected(
            "bad-request",
            Text(
                "Bản kê có dòng sai. Người lập bản kê hãy sửa các dòng này.",
                "The manifest has wrong rows. Whoever made it corrects these.",
            ),
            tuple(wrong),
        )
    return rows


def _row(cells: Sequence[str], places: dict[str, int], direction: Direction) -> Row | None:
    def cell(name: str) -> str:
        place = places.get(name)
        return "" if place is None or place >= len(cells) else cells[place].strip()

    id_, digest, contract, said = read_id(cell("id")), read_digest(cell("digest")), cell("contract"), cell("direction")
    if id_ is None or digest is None or len(contract) > _LONGEST_CONTRACT or said not in {"", "sent", "received"}:
        return None
    return Row(id_, digest, contract, "sent" if (said or direction) == "sent" else "received")


def _refused(pointer: str, vi: str, en: str) -> Rejected:
    return Rejected(
        "bad-request",
        Text(f"Không nhận được bản kê: {vi}.", f"The manifest cannot be taken: {en}."),
        (Violation(pointer, "table", Text(vi, en)),),
    )
