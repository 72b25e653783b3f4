"""The numbered steps of the database's shape: applied in order, once, each remembered with its checksum."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.faults import Misconfigured, Text
from gateway.store import moving

FOLDER: Final = Path(__file__).with_name("schema")

_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS schema_versions (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_at REAL NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file ``NNN_name.sql``: its number, name, text and checksum."""

    number: int
    name: str
    text: str
    sha256: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The steps this program knows, in order; their numbers run from 1 without a gap."""
    found = []
    for path in sorted(folder.glob("[0-9][0-9][0-9]_*.sql")):
        text = path.read_text("utf-8")
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, text, hashlib.sha256(text.encode()).hexdigest()))
    if not found or [step.number for step in found] != list(range(1, len(found) + 1)):
        raise Misconfigured(
            str(folder),
            Text("Bộ cài đặt thiếu bước nâng cấp cơ sở dữ liệu", "The installation lacks a step of the database"),
            Text("Cài đặt lại chương trình.", "Install the program again."),
        )
    return found


def migrate(connection: sqlite3.Connection, path: Path, known: list[Migration], *, is_arriving: bool = False) -> None:
    """Bring the database to the last known step, in one transaction; nothing is done where that cannot be.

    Raises Misconfigured where the database is newer than this program, was made by other steps, was left for another
    one, or is being moved into by somebody else than the caller (``is_arriving``).
    """
    connection.execute("BEGIN IMMEDIATE")  # one process migrates, the others wait and find it done
    try:
        if (address := gone_to(connection)) is not None:
            raise moving.gone(str(path), address)
        if not is_arriving and is_half_there(connection):
            raise moving.half_there(str(path))
        connection.execute(_VERSIONS)
        rows = connection.execute("SELECT number, name, sha256 FROM schema_versions ORDER BY number").fetchall()
        applied = {number: (name, sha256) for number, name, sha256 in rows}
        if applied and max(applied) > len(known):
            raise _newer(path, max(applied), len(known))
        for step in known:
            if step.number not in applied:
                _apply(connection, step)
            elif applied[step.number][1] != step.sha256:
                raise _foreign(path, step)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in statements(step.text):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_versions VALUES (?, ?, ?, ?)", (step.number, step.name, step.sha256, time.time())
    )


def statements(text: str) -> Iterator[str]:
    """The statements of a script one by one (``executescript`` would commit in the middle)."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if ";" in line and sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending  # a last comment, or a statement that SQLite will refuse or run


def gone_to(connection: sqlite3.Connection) -> str | None:
    """Where the ledger went, where it was left for another one (``lgsp migrate-store``)."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'gone'").fetchone() is None:
        return None
    return str(connection.execute("SELECT address FROM gone").fetchone()[0])


def is_half_there(connection: sqlite3.Connection) -> bool:
    """Whether ``lgsp migrate-store`` has begun to move a ledger into this file, and not finished."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'arrival'").fetchone() is None:
        return False
    return connection.execute("SELECT 1 FROM arrival WHERE is_whole = 0").fetchone() is not None


def _newer(path: Path, found: int, known: int) -> Misconfigured:
    return Misconfigured(
        str(path),
        Text(
            f"Cơ sở dữ liệu do phiên bản mới hơn ghi (bước {found}, chương trình này chỉ biết đến bước {known})",
            f"The database was written by a newer program (step {found}; this program knows steps up to {known})",
        ),
        Text(
            "Quản trị viên cài phiên bản chương trình đã ghi nó, hoặc khôi phục bản sao lưu từ trước khi nâng cấp.",
            "The administrator installs the version that wrote it, or restores the backup made before the upgrade.",
        ),
    )


def _foreign(path: Path, step: Migration) -> Misconfigured:
    return Misconfigured(
        str(path),
        Text(
            f"Bước {step.number} ({step.name}) của cơ sở dữ liệu khác với bước cùng số của chương trình này",
            f"Step {step.number} ({step.name}) of the database is not this program's step of that number",
        ),
        Text(
            "Quản trị viên cài lại bản phát hành chính thức đã tạo cơ sở dữ liệu này; không sửa các tệp schema.",
            "The administrator installs the release that made this database again; schema files are never edited.",
        ),
    )
