"""What was found in files, in the tables of a single node."""

# ruff: noqa: D102, S608 - ports.findings says what each method promises; every value of a statement is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.core.findings import Findings
from gateway.ports import Ledger
from gateway.ports.findings import Named
from gateway.store.finding_rows import COLUMNS, findings_of, row_of
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one


class SqliteFindings:
    """Keeps every promise of ``ports.findings.FindingsBook`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def keep(self, findings: Findings) -> bool:
        return await self._ledger.write(_KEEP, findings)

    async def of(self, sha256: str, about: str = "") -> Findings | None:
        return await self._ledger.read(partial(_of, sha256=sha256, about=about))

    async def held(self, sha256: str) -> int | None:
        return await self._ledger.read(partial(_held, sha256=sha256))

    async def named(self, message: str) -> Sequence[Named]:
        return await self._ledger.read(partial(_named, message=message))


def findings_book_of(ledger: Ledger) -> SqliteFindings:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteFindings(ledger)


def _keep(connection: sqlite3.Connection, found: Findings) -> bool:
    if _held(connection, found.sha256) is None:
        return False
    connection.execute(f"INSERT OR REPLACE INTO findings ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row_of(found))
    return True


_KEEP: Final = one_by_one(_keep)


def _of(connection: sqlite3.Connection, sha256: str, about: str) -> Findings | None:
    asked = f"SELECT {COLUMNS} FROM findings WHERE sha256 = ? AND about = ?"
    row = connection.execute(asked, (sha256, about)).fetchone()
    return None if row is None else findings_of(row)


def _held(connection: sqlite3.Connection, sha256: str) -> int | None:
    row = connection.execute("SELECT size FROM files WHERE sha256 = ?", (sha256,)).fetchone()
    return None if row is None else int(row[0])


_NAMED: Final = (
    f"SELECT f.sha256, f.size, {', '.join(f'g.{name}' for name in COLUMNS.split(', '))}"
    " FROM messages m CROSS JOIN message_files n ON n.message_seq = m.seq CROSS JOIN files f ON f.sha256 = n.sha256"
    " LEFT JOIN findings g ON g.sha256 = f.sha256 AND g.about = '' WHERE m.key = ? ORDER BY f.sha256"
)


def _named(connection: sqlite3.Connection, message: str) -> list[Named]:
    return [
        Named(sha256, size, findings_of(row) if row[0] is not None else None)
        for sha256, size, *row in connection.execute(_NAMED, (message,))
    ]
