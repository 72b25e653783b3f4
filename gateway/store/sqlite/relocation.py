"""A ledger's file is left, or a new one moved into: rows of its tables as they travel, whole pages at a time."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing
from io import FileIO
from pathlib import Path
from typing import Final

from gateway.checkpoints import reach
from gateway.core.faults import Misconfigured, Text
from gateway.ports import AuditRow
from gateway.ports.relocation import PAGE_BYTES, PAGE_ROWS, Origin, Reached, Row, Table
from gateway.store import moving
from gateway.store.sqlite import recording
from gateway.store.sqlite.connection import as_misconfigured, connect, is_locked, make_file
from gateway.store.sqlite.examination import open_for_looking
from gateway.store.sqlite.migrations import gone_to, migrate, migrations

#: Columns that are True or False when they travel, and 1 or 0 in their table.
_BOOLEANS: Final = frozenset({"is_open", "owes_outcome"})
#: Bytes at the start of a file in which SQLite tells its version, size and count of changes.
_HEAD: Final = 100


class _Tables:
    """Reads and writes the tables of an open file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            raise ValueError("not open")
        return self._opened

    async def pages(self, table: Table, after: Row | None = None) -> AsyncGenerator[Sequence[Row], None]:
        """Rows by key."""
        key = ", ".join(table.columns[: table.width])
        behind = "" if after is None else f"WHERE ({key}) > ({', '.join('?' * table.width)})"
        asked = f"SELECT {', '.join(table.columns)} FROM {table.name} {behind} ORDER BY {key}"
        booleans = [place for place, name in enumerate(table.columns) if name in _BOOLEANS]
        page: list[Row] = []
        size = 0
        for row in self._connection.execute(asked, after or ()):
            page.append(_travelling(row, booleans) if booleans else row)
            size += sum(len(value) for value in row if isinstance(value, bytes))
            if len(page) >= PAGE_ROWS or size >= PAGE_BYTES:
                yield page
                page, size = [], 0
        if page:
            yield page

    async def count(self, table: Table) -> int:
        """How many rows."""
        return int(self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])

    async def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _travelling(row: Row, booleans: Sequence[int]) -> Row:
    values = list(row)
    for place in booleans:
        values[place] = values[place] == 1
    return tuple(values)


def _in_use(path: Path) -> Misconfigured:
    look = Text(f"Còn ai dùng thì xem: fuser -v {path}", f"Who else uses it is told by: fuser -v {path}")
    return moving.in_use(str(path), Text("Trục (hoặc chương trình khác)", "A gateway (or another program)"), look)


class SqliteExport(_Tables):
    """Keeps every promise of ``ports.relocation.Export`` over the file of a ledger.

    A gateway has the file open for as long as it runs, and SQLite lets a file leave its write-ahead log only where
    nobody else has it open: so whether one runs is known for certain. The lock taken then keeps others out.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._head: FileIO | None = None

    async def open(self) -> Origin:
        """Take the file for oneself alone."""
        path = self._path
        if not path.exists():
            raise moving.nothing_there(str(path))
        try:
            self._opened = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
            self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            self._connection.execute("BEGIN EXCLUSIVE")
            (mode,) = self._connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "delete":  # somebody was quicker, and has opened it again
                raise _in_use(path)
            return self._origin()
        except sqlite3.Error as error:
            await self.close()
            raise (_in_use(path) if is_locked(error) else as_misconfigured(path, error)) from error
        except BaseException:
            await self.close()
            raise

    def _origin(self) -> Origin:
        if self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions'").fetchone() is None:
            raise moving.nothing_there(str(self._path))
        rows = self._connection.execute("SELECT number, sha256, applied_at FROM schema_versions ORDER BY number")
        steps = rows.fetchall()
        if [(number, sha256) for number, sha256, _ in steps] != [(each.number, each.sha256) for each in migrations()]:
            raise moving.other_step(str(self._path), len(steps), len(migrations()))
        born = hashlib.sha256(repr(steps[0]).encode()).hexdigest()
        # The head of the file counts its changes; a gateway that opens it puts it into a write-ahead log, and taking it
        # out of that is a change as well. A file that is read must not be closed before SQLite does: with it would go
        # every lock that this process has on it.
        self._head = self._path.open("rb", buffering=0)
        return Origin(born, hashlib.sha256(self._head.read(_HEAD)).hexdigest(), gone_to(self._connection))

    async def leave(self, to: str, *, at: float) -> None:
        """Write where it went into the file, for whoever opens it."""
        try:
            self._connection.execute("CREATE TABLE gone (address TEXT NOT NULL, at REAL NOT NULL) STRICT")
            self._connection.execute("INSERT INTO gone VALUES (?, ?)", (to, at))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise as_misconfigured(self._path, error) from error

    async def close(self) -> None:
        """Let others in again."""
        await super().close()
        if self._head is not None:
            self._head.close()
            self._head = None


#: The marks of a move: which ledger came here and whether it is whole, and how far each table is.
_MARKS: Final = (
    "CREATE TABLE arrival (origin TEXT NOT NULL, mark TEXT NOT NULL, is_whole INTEGER NOT NULL) STRICT",
    "CREATE TABLE arrived (name TEXT PRIMARY KEY, key TEXT, count INTEGER NOT NULL, is_whole INTEGER NOT NULL) STRICT",
)


class SqliteImport(_Tables):
    """Keeps every promise of ``ports.relocation.Import``: a new file, which no gateway opens before it is whole."""

    async def look(self, origin: Origin) -> Mapping[str, Reached] | None:
        """What lies at the place."""
        if not self._path.exists() or self._path.stat().st_size == 0:
            return {}
        try:
            with closing(open_for_looking(self._path)) as connection:
                return self._reached(connection, origin)
        except sqlite3.Error as error:
            raise as_misconfigured(self._path, error) from error

    def _reached(self, connection: sqlite3.Connection, origin: Origin) -> dict[str, Reached] | None:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'arrival'").fetchone() is None:
            raise moving.holds_something(str(self._path))
        id_, mark, is_whole = connection.execute("SELECT origin, mark, is_whole FROM arrival").fetchone()
        if id_ != origin.id:
            raise moving.holds_something(str(self._path))
        if is_whole:
            if mark != origin.mark:
                raise moving.diverged(str(self._path))
            return None
        if mark != origin.mark:
            return {}
        rows = connection.execute("SELECT name, key, count, is_whole FROM arrived").fetchall()
        return {
            name: Reached(None if key == "null" else tuple(json.loads(key)), count, is_whole == 1)
            for name, key, count, is_whole in rows
        }

    async def begin(self, origin: Origin) -> Mapping[str, Reached]:
        """Go on with the file that was begun, or make it."""
        reached = await self.look(origin)
        if reached is None:
            raise moving.holds_something(str(self._path))
        try:
            if not reached:
                for end in ("", "-wal", "-shm", "-journal"):
                    self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            make_file(self._path)
            self._opened = connect(self._path, "writer")
            if not reached:
                self._make_marks(origin)
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise as_misconfigured(self._path, error) from error
        return reached

    def _make_marks(self, origin: Origin) -> None:
        # First of all, so that no gateway takes what comes after for a ledger of its own.
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in _MARKS:
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO arrival VALUES (?, ?, 0)", (origin.id, origin.mark))
        self._connection.execute("COMMIT")
        migrate(self._connection, self._path, migrations(), is_arriving=True)
        self._connection.execute("DELETE FROM meta")  # what every new database begins with

    async def put(self, table: Table, rows: Sequence[Row], reached: Reached) -> None:
        """One transaction."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({', '.join('?' * len(table.columns))})",
                rows,
            )
            connection.execute(
                "INSERT OR REPLACE INTO arrived VALUES (?, ?, ?, ?)",
                (table.name, json.dumps(reached.key), reached.count, int(reached.is_whole)),
            )
            reach("relocate.page-written")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise as_misconfigured(self._path, error) from error

    async def finish(self, audit: AuditRow) -> None:
        """The file is a ledger like any other, but that it remembers where it came from."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            recording.audit(connection, [audit])
            connection.execute("UPDATE arrival SET is_whole = 1")
            connection.execute("DROP TABLE arrived")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise as_misconfigured(self._path, error) from error
