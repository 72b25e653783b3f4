"""The register of documents in the tables of one SQLite file; its lines are written with their messages (``lines``)."""

# ruff: noqa: D102, S608 - ports.documents says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway.ports import AuditRow, Ledger
from gateway.ports.documents import Duty, Registered
from gateway.store.entries import COLUMNS, GIVEN_UP, ISSUED, WAITING, WIDTH, entry_of
from gateway.store.sqlite import recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.rows import names_of
from gateway.store.sqlite.writer import one_by_one


class SqliteRegister:
    """Keeps every promise of ``ports.documents.Register`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def story(self, key: str, issuer: str) -> list[Registered]:
        return await self._ledger.read(partial(_story, key=key, issuer=issuer))

    async def issued(self, agency: str, *, before: int | None = None, limit: int = 100) -> list[Registered]:
        asked = {"agency": agency, "before": 2**62 if before is None else before, "limit": limit}
        return await self._ledger.read(partial(_lines, asked=_ISSUED, values=asked))

    async def find(self, key: str, *, limit: int = 20) -> list[Registered]:
        return await self._ledger.read(partial(_lines, asked=_FIND, values={"key": key, "limit": limit}))

    async def parked(self, *, is_given_up: bool = False, limit: int = 100) -> list[Registered]:
        values = {"parked": GIVEN_UP if is_given_up else WAITING, "limit": limit}
        return await self._ledger.read(partial(_lines, asked=_PARKED, values=values))

    async def unpark(self, places: Sequence[int], audit: Sequence[AuditRow]) -> bool:
        return await self._ledger.write(_UNPARK, (places, audit))

    async def duties(self, *, due_by: float | None = None, agency: str | None = None, limit: int = 500) -> list[Duty]:
        return await self._ledger.read(partial(_duties, due_by=due_by, agency=agency, limit=limit))

    async def remind(self, duty: Duty, *, next_at: float | None, audit: AuditRow) -> bool:
        return await self._ledger.write(_CHANGE, _Change(duty, duty.level + 1, next_at, audit))

    async def postpone(self, duty: Duty, *, next_at: float, audit: AuditRow | None = None) -> bool:
        return await self._ledger.write(_CHANGE, _Change(duty, duty.level, next_at, audit))


def register_of(ledger: Ledger) -> SqliteRegister:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteRegister(ledger)


_LINE: Final = (
    f"SELECT {', '.join(f'l.{name}' for name in COLUMNS.split(', '))}, l.message_seq, m.key, m.source, m.accepted_at,"
    " l.parked, m.recipients FROM documents l CROSS JOIN messages m ON m.seq = l.message_seq"
)
_ISSUED: Final = (
    f"{_LINE} WHERE l.issuer = :agency AND l.kind <> 'status' AND l.message_seq < :before"
    " ORDER BY l.message_seq DESC LIMIT :limit"
)
_FIND: Final = f"{_LINE} WHERE l.key = :key AND l.kind = 'new' ORDER BY l.message_seq DESC LIMIT :limit"
_PARKED: Final = f"{_LINE} WHERE l.parked = :parked AND l.parked <> 0 ORDER BY l.message_seq LIMIT :limit"
_STORY: Final = f"""
WITH about AS MATERIALIZED (
  SELECT message_seq, key FROM documents WHERE key = :key AND issuer = :issuer AND {ISSUED}
  UNION SELECT l.message_seq, l.key FROM document_changes c CROSS JOIN documents l ON l.message_seq = c.message_seq
    WHERE c.key = :key AND l.issuer = :issuer
), told AS MATERIALIZED (
  SELECT message_seq FROM about
  UNION SELECT l.message_seq FROM (SELECT key FROM about UNION SELECT :key) k
    CROSS JOIN documents l ON l.key = k.key AND l.issuer = :issuer AND l.kind = 'status'
)
{_LINE.replace("FROM documents l", "FROM told t CROSS JOIN documents l ON l.message_seq = t.message_seq")}
ORDER BY l.message_seq
"""


def _registered(row: Sequence[Any]) -> Registered:
    place, message, source, accepted_at, parked, systems = row[WIDTH:]
    return Registered(place, message, source, accepted_at, entry_of(row), parked == WAITING, names_of(systems))


def _lines(connection: sqlite3.Connection, asked: str, values: dict[str, Any]) -> list[Registered]:
    return [_registered(row) for row in connection.execute(asked, values)]


def _story(connection: sqlite3.Connection, key: str, issuer: str) -> list[Registered]:
    return _lines(connection, _STORY, {"key": key, "issuer": issuer})


def _unpark(connection: sqlite3.Connection, asked: tuple[Sequence[int], Sequence[AuditRow]]) -> bool:
    places, audit = asked
    named = json.dumps(sorted(set(places)))
    (waiting,) = connection.execute(
        "SELECT count(*) FROM json_each(?) n CROSS JOIN documents l ON l.message_seq = n.value WHERE l.parked = 1",
        (named,),
    ).fetchone()
    if not places or waiting < len(set(places)):
        return False
    connection.execute(
        "UPDATE documents SET parked = ? WHERE message_seq IN (SELECT value FROM json_each(?))", (GIVEN_UP, named)
    )
    recording.audit(connection, audit)
    return True


_UNPARK: Final = one_by_one(_unpark)

_DUTY: Final = (
    "SELECT m.key, l.key, l.issuer, d.agency, d.name, d.due, d.level, d.next_at FROM duties d"
    " CROSS JOIN documents l ON l.message_seq = d.message_seq CROSS JOIN messages m ON m.seq = d.message_seq"
)


def _duties(connection: sqlite3.Connection, due_by: float | None, agency: str | None, limit: int) -> list[Duty]:
    # Spelled one by one, so that each is answered by an index of its own.
    conditions = [
        *(["d.next_at IS NOT NULL AND d.next_at <= :due_by"] if due_by is not None else []),
        *(["d.agency = :agency"] if agency is not None else []),
    ]
    rows = connection.execute(
        f"{_DUTY} WHERE {' AND '.join(conditions) or 'TRUE'}"
        " ORDER BY d.due, d.message_seq, d.agency, d.name LIMIT :limit",
        {"due_by": due_by, "agency": agency, "limit": limit},
    )
    return [_duty(row) for row in rows]


def _duty(row: Sequence[Any]) -> Duty:
    message, key, issuer, agency, name, due, level, next_at = row
    return Duty(message, key, issuer, agency, name, due, level, math.inf if next_at is None else next_at)


@dataclass(frozen=True, slots=True)
class _Change:
    duty: Duty
    level: int
    next_at: float | None
    audit: AuditRow | None


def _change(connection: sqlite3.Connection, asked: _Change) -> bool:
    duty = asked.duty
    written = connection.execute(
        "UPDATE duties SET level = ?, next_at = ? WHERE agency = ? AND name = ? AND level = ?"
        " AND message_seq = (SELECT seq FROM messages WHERE key = ?)",
        (asked.level, asked.next_at, duty.agency, duty.name, duty.level, duty.message),
    ).rowcount
    if written and asked.audit is not None:
        recording.audit(connection, [asked.audit])
    return written == 1


_CHANGE: Final = one_by_one(_change)
