"""What was found in files, in the tables of a cluster."""

# ruff: noqa: D102, S608 - ports.findings says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.core.findings import Findings
from gateway.ports import Ledger
from gateway.ports.findings import Named
from gateway.store.finding_rows import COLUMNS, findings_of, row_of
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one


class PostgresFindings:
    """Keeps every promise of ``ports.findings.FindingsBook`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def keep(self, findings: Findings) -> bool:
        return await self._ledger.write(_KEEP, findings)

    async def of(self, sha256: str, about: str = "") -> Findings | None:
        return await self._ledger.read(partial(_of, sha256=sha256, about=about))

    async def held(self, sha256: str) -> int | None:
        return await self._ledger.read(partial(_held, sha256=sha256))

    async def named(self, message: str) -> Sequence[Named]:
        return await self._ledger.read(partial(_named, message=message))


def findings_book_of(ledger: Ledger) -> PostgresFindings:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresFindings(ledger)


_OTHERS: Final = COLUMNS.split(", ")[2:]


async def _keep(connection: Connection, found: Findings) -> bool:
    if await _held(connection, found.sha256) is None:
        return False
    await connection.execute(
        f"INSERT INTO findings ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sha256, about)"
        f" DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _OTHERS)}",
        *row_of(found),
    )
    return True


#: The files side by side with others: none goes between the look for it and the row about it.
_KEEP: Final = one_by_one(_keep, locks=lambda _: locks.FILES)


async def _of(connection: Connection, sha256: str, about: str) -> Findings | None:
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM findings WHERE sha256 = $1 AND about = $2", sha256, about)
    return None if row is None else findings_of(tuple(row))


async def _held(connection: Connection, sha256: str) -> int | None:
    size = await connection.fetchval("SELECT size FROM files WHERE sha256 = $1", sha256)
    return None if size is None else int(size)


_NAMED: Final = (
    f"SELECT f.sha256, f.size, {', '.join(f'g.{name}' for name in COLUMNS.split(', '))}"
    " FROM ids i JOIN message_files n ON n.message_seq = i.message_seq JOIN files f ON f.sha256 = n.sha256"
    " LEFT JOIN findings g ON g.sha256 = f.sha256 AND g.about = '' WHERE i.key = $1 ORDER BY f.sha256 COLLATE \"C\""
)


async def _named(connection: Connection, message: str) -> list[Named]:
    rows = [tuple(row) for row in await connection.fetch(_NAMED, message)]
    return [Named(sha256, size, findings_of(row) if row[0] is not None else None) for sha256, size, *row in rows]
