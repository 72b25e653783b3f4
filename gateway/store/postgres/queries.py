"""Queries that were asked, in the tables of a cluster."""

# ruff: noqa: D102, S608 - ports.queries says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.ports import AuditRow, Ledger
from gateway.ports.queries import Asking, Logged, Outcome
from gateway.store.postgres import recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one
from gateway.store.query_rows import ASKED, COLUMNS, is_taken, logged_of, row_of


class PostgresQueryLog:
    """Keeps every promise of ``ports.queries.QueryLog`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
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
        wanted = [(condition, value) for condition, value in asked if value is not None]
        return await self._ledger.read(partial(_logged, wanted=wanted, before=before, limit=limit))


def query_log_of(ledger: Ledger) -> PostgresQueryLog:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresQueryLog(ledger)


_PLACES: Final = ", ".join(f"${number}" for number in range(1, len(ASKED.split(",")) + 1))
_AGAIN: Final = ", ".join(f"{name} = excluded.{name}" for name in [*ASKED.split(", ")[1:], "outcome", "until"])
_LAST: Final = len(ASKED.split(",")) + 1
#: Two that ask at once meet at the row: the second finds it taken when the first has committed.
_ASK: Final = (
    f"INSERT INTO queries AS q ({ASKED}, outcome, until) VALUES ({_PLACES}, 'asked', ${_LAST}) ON CONFLICT (key)"
    f" DO UPDATE SET {_AGAIN}, ended_at = NULL, answer = NULL"
    " WHERE q.source = excluded.source"
    " AND (q.outcome = 'failed' OR (q.outcome = 'asked' AND q.until <= excluded.asked_at))"
)


async def _begin(connection: Connection, asked: tuple[Asking, float]) -> bool:
    asking, until = asked
    return await connection.execute(_ASK, *row_of(asking), until) == "INSERT 0 1"


_BEGIN: Final = one_by_one(_begin)


async def _end(connection: Connection, asked: tuple[tuple[Any, ...], AuditRow]) -> None:
    values, audit = asked
    await connection.execute("UPDATE queries SET outcome = $1, ended_at = $2, answer = $3 WHERE key = $4", *values)
    await recording.audit(connection, [audit])


_END: Final = one_by_one(_end)


async def _is_taken(connection: Connection, key: str, now: float, source: str | None) -> bool:
    row = await connection.fetchrow("SELECT outcome, until, source FROM queries WHERE key = $1", key)
    return row is not None and is_taken(*row, now=now, source=source)


async def _logged(
    connection: Connection, wanted: list[tuple[str, Any]], before: tuple[float, str] | None, limit: int
) -> list[Logged]:
    values: list[Any] = [limit, *(value for _, value in wanted)]
    conditions = [f"{condition} ${number}" for number, (condition, _) in enumerate(wanted, start=2)]
    if before is not None:
        conditions.append(f"(asked_at, key) < (${len(values) + 1}::float8, ${len(values) + 2})")
        values += before
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM queries WHERE {' AND '.join(conditions) or 'TRUE'}"
        " ORDER BY asked_at DESC, key DESC LIMIT $1",
        *values,
    )
    return [logged_of(tuple(row)) for row in rows]
