"""The register of dossiers in the tables of one SQLite file; its lines are written with their messages (``write``)."""

# ruff: noqa: D102, S608 - ports.dossiers says what each method promises; every value of a statement is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import Told
from gateway.ports import AuditRow, Ledger
from gateway.store.dossier_rows import HEAD, LINE, head_of, head_row, told_of
from gateway.store.sqlite import recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import Step


class SqliteDossierRegister:
    """Keeps every promise of ``ports.dossiers.DossierRegister`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def story(self, code: str) -> list[Told]:
        return await self._ledger.read(partial(_story, code=code))

    async def children(self, code: str) -> list[str]:
        return await self._codes(_CHILDREN, {"code": code})

    async def unsettled(self, *, limit: int = 200) -> list[str]:
        return await self._codes(_UNSETTLED, {"limit": limit})

    async def settle(self, head: Head, audit: Sequence[AuditRow] = ()) -> bool:
        return await self._ledger.write(_SETTLE, (head, audit))

    async def head(self, code: str) -> Head | None:
        found = await self._heads(_ONE, {"code": code})
        return found[0] if found else None

    async def heads(
        self, *, lead: str | None = None, status: int | None = None, after: str = "", limit: int = 100
    ) -> list[Head]:
        asked = listing(is_lead=lead is not None, is_status=status is not None)
        return await self._heads(asked, {"lead": lead, "status": status, "after": after, "limit": limit})

    async def due(self, now: float, *, limit: int = 200) -> list[Head]:
        return await self._heads(_DUE, {"now": now, "limit": limit})

    async def ended(self, since: float, until: float, *, after: str = "", limit: int = 1000) -> list[Head]:
        asked = {"since": since, "until": until, "after": after, "limit": limit}
        return await self._heads(_ENDED, asked)

    async def _heads(self, asked: str, values: dict[str, Any]) -> list[Head]:
        return [head_of(row) for row in await self._ledger.read(partial(_rows, asked=asked, values=values))]

    async def _codes(self, asked: str, values: dict[str, Any]) -> list[str]:
        return [code for (code,) in await self._ledger.read(partial(_rows, asked=asked, values=values))]


def dossiers_of(ledger: Ledger) -> SqliteDossierRegister:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteDossierRegister(ledger)


_STORY: Final = f"SELECT message_seq, {LINE} FROM dossier_lines WHERE code = :code ORDER BY message_seq"
_CHILDREN: Final = """
SELECT code FROM dossier_lines WHERE parent = :code AND parent <> '' AND code <> :code
UNION SELECT child FROM dossier_lines WHERE code = :code AND child NOT IN ('', :code) ORDER BY 1
"""
_UNSETTLED: Final = "SELECT code FROM dossiers_unsettled ORDER BY first LIMIT :limit"
_ONE: Final = f"SELECT {HEAD} FROM dossiers WHERE code = :code"
_DUE: Final = (
    f"SELECT {HEAD} FROM dossiers WHERE next_look IS NOT NULL AND next_look <= :now ORDER BY next_look, code"
    " LIMIT :limit"
)
#: Of those that are open a page, in order; of those that finished since, all, to be put in order.
_ENDED: Final = f"""
SELECT {HEAD} FROM (
  SELECT * FROM (SELECT {HEAD} FROM dossiers INDEXED BY dossiers_open
    WHERE finished_at IS NULL AND (received_at IS NULL OR received_at < :until) AND code > :after
    ORDER BY code LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT {HEAD} FROM dossiers INDEXED BY dossiers_finished
    WHERE finished_at IS NOT NULL AND finished_at >= :since AND (received_at IS NULL OR received_at < :until)
      AND code > :after ORDER BY code LIMIT :limit)
) ORDER BY code LIMIT :limit
"""


def listing(*, is_lead: bool, is_status: bool) -> str:
    """The statement of a list: spelled for what is asked, so that each goes through an index of its own."""
    conditions = [*(["lead = :lead"] if is_lead else []), *(["status = :status"] if is_status else [])]
    where = " AND ".join([*conditions, "code > :after"])
    by = _LISTED[is_lead, is_status]
    return f"SELECT {HEAD} FROM dossiers {by} WHERE {where} ORDER BY code LIMIT :limit"


_LISTED: Final = {
    (False, False): "",
    (True, False): "INDEXED BY dossiers_of_lead",
    (False, True): "INDEXED BY dossiers_in_status",
    (True, True): "INDEXED BY dossiers_of_lead_in_status",
}


def _story(connection: sqlite3.Connection, code: str) -> list[Told]:
    return [told_of(row) for row in connection.execute(_STORY, {"code": code})]


def _rows(connection: sqlite3.Connection, asked: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    return connection.execute(asked, values).fetchall()


_KEEP: Final = (
    f"INSERT INTO dossiers ({HEAD}) VALUES ({', '.join('?' * len(HEAD.split(', ')))}) ON CONFLICT (code) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in HEAD.split(", ")[1:])
    + " WHERE place <= excluded.place"
)


def _settle(connection: sqlite3.Connection, asked: Sequence[tuple[Head, Sequence[AuditRow]]]) -> list[bool]:
    return [_settle_one(connection, head, audit) for head, audit in asked]


def _settle_one(connection: sqlite3.Connection, head: Head, audit: Sequence[AuditRow]) -> bool:
    younger = "SELECT 1 FROM dossiers_unsettled WHERE code = ? AND last > ?"
    if connection.execute(younger, (head.code, head.place)).fetchone() is not None:
        return False
    if connection.execute(_KEEP, head_row(head)).rowcount == 0:
        return False
    connection.execute("DELETE FROM dossiers_unsettled WHERE code = ?", (head.code,))
    recording.audit(connection, audit)
    return True


_SETTLE: Final = Step(_settle)
