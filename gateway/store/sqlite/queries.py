"""Queries that were asked, in the tables of a single node."""

# ruff: noqa: D102, S608 - ports.queries says what each method promises; every value of a statement is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.ports import AuditRow, Ledger
from gateway.ports.queries import Asking, Logged, Outcome
from gateway.store.query_rows import ASKED, COLUMNS, is_taken, logged_of, row_of
from gateway.store.sqlite import recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one


class SqliteQueryLog:
    """Keeps every promise of ``ports.queries.QueryLog`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def begin(self, asking: Asking, *, until: float) -> bool:
        return await self._ledger.write(_BEGIN, (asking, until))

    async def end(self, key: str, outcome: Outcome, *, at: float, answer: str | None, audit: AuditRow) -> None:
        await self._ledger.write(_END, ((outcome, at, answer, key), audit))

    async def is_taken(self, key: str, now: float, source: str | None = None) -> bool:
        return await self._ledger.read(partial(_is_taken, key=key, now=now, source=source))

    async def logged(
        self,
        *,
        mark: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 200,
    ) -> Sequence[Logged]:
        asked = (("mark =", mark), ("source =", source), ("provider =", provider), ("asked_at >=", since),
                 ("asked_at <", until))  # fmt: skip
        wanted = [(f"{condition} ?", value) for condition, value in asked if value is not None]
        return await self._ledger.read(partial(_logged, wanted=wanted, before=before, limit=limit))


def query_log_of(ledger: Ledger) -> SqliteQueryLog:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteQueryLog(ledger)


def _begin(connection: sqlite3.Connection, asked: tuple[Asking, float]) -> bool:
    asking, until = asked
    if _is_taken(connection, asking.key, asking.asked_at, asking.source):
        return False
    places = ", ".join("?" * len(ASKED.split(",")))
    connection.execute(
        f"INSERT OR REPLACE INTO queries ({ASKED}, outcome, until) VALUES ({places}, 'asked', ?)",
        (*row_of(asking), until),
    )
    return True


_BEGIN: Final = one_by_one(_begin)


def _end(connection: sqlite3.Connection, asked: tuple[tuple[Any, ...], AuditRow]) -> None:
    values, audit = asked
    connection.execute("UPDATE queries SET outcome = ?, ended_at = ?, answer = ? WHERE key = ?", values)
    recording.audit(connection, [audit])


_END: Final = one_by_one(_end)


def _is_taken(connection: sqlite3.Connection, key: str, now: float, source: str | None) -> bool:
    row = connection.execute("SELECT outcome, until, source FROM queries WHERE key = ?", (key,)).fetchone()
    return row is not None and is_taken(*row, now=now, source=source)


def _logged(
    connection: sqlite3.Connection, wanted: list[tuple[str, Any]], before: tuple[float, str] | None, limit: int
) -> list[Logged]:
    conditions = [condition for condition, _ in wanted] + (["(asked_at, key) < (?, ?)"] if before else [])
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM queries WHERE {' AND '.join(conditions) or 'TRUE'}"
        " ORDER BY asked_at DESC, key DESC LIMIT ?",
        (*(value for _, value in wanted), *(before or ()), limit),
    )
    return [logged_of(row) for row in rows]
