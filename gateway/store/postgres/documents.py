"""The register of documents in the cluster's tables; its lines are written with their messages (``lines``)."""

# ruff: noqa: D102, S608 - ports.documents says what each method promises; every value of a statement is bound

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway.ports import AuditRow, Ledger
from gateway.ports.documents import Duty, Registered
from gateway.store.entries import COLUMNS, GIVEN_UP, ISSUED, WAITING, WIDTH, entry_of
from gateway.store.postgres import recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.rows import is_uuid, names_of
from gateway.store.postgres.writer import one_by_one


class PostgresRegister:
    """Keeps every promise of ``ports.documents.Register`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def story(self, key: str, issuer: str) -> list[Registered]:
        return await self._ledger.read(partial(_lines, asked=_STORY, values=(key, issuer)))

    async def issued(self, agency: str, *, before: int | None = None, limit: int = 100) -> list[Registered]:
        values = (agency, 2**62 if before is None else before, limit)
        return await self._ledger.read(partial(_lines, asked=_ISSUED, values=values))

    async def find(self, key: str, *, limit: int = 20) -> list[Registered]:
        return await self._ledger.read(partial(_lines, asked=_FIND, values=(key, limit)))

    async def parked(self, *, is_given_up: bool = False, limit: int = 100) -> list[Registered]:
        values = (GIVEN_UP if is_given_up else WAITING, limit)
        return await self._ledger.read(partial(_lines, asked=_PARKED, values=values))

    async def unpark(self, places: Sequence[int], audit: Sequence[AuditRow]) -> bool:
        return await self._ledger.write(_UNPARK, (places, audit))

    async def duties(self, *, due_by: float | None = None, agency: str | None = None, limit: int = 500) -> list[Duty]:
        return await self._ledger.read(partial(_duties, due_by=due_by, agency=agency, limit=limit))

    async def remind(self, duty: Duty, *, next_at: float | None, audit: AuditRow) -> bool:
        return await self._ledger.write(_CHANGE, _Change(duty, duty.level + 1, next_at, audit))

    async def postpone(self, duty: Duty, *, next_at: float, audit: AuditRow | None = None) -> bool:
        return await self._ledger.write(_CHANGE, _Change(duty, duty.level, next_at, audit))


def register_of(ledger: Ledger) -> PostgresRegister:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresRegister(ledger)


_LINE: Final = (
    f"SELECT {', '.join(f'l.{name}' for name in COLUMNS.split(', '))}, l.message_seq, m.key::text, i.source,"
    " m.accepted_at, l.parked, i.recipients FROM documents l"
    " JOIN messages m ON m.seq = l.message_seq JOIN ids i ON i.key = m.key"
)
_ISSUED: Final = (
    f"{_LINE} WHERE l.issuer = $1 AND l.kind <> 'status' AND l.message_seq < $2 ORDER BY l.message_seq DESC LIMIT $3"
)
_FIND: Final = f"{_LINE} WHERE l.key = $1 AND l.kind = 'new' ORDER BY l.message_seq DESC LIMIT $2"
_PARKED: Final = f"{_LINE} WHERE l.parked = $1 AND l.parked <> 0 ORDER BY l.message_seq LIMIT $2"
_STORY: Final = f"""
WITH about AS MATERIALIZED (
  SELECT message_seq, key FROM documents WHERE key = $1 AND issuer = $2 AND {ISSUED}
  UNION SELECT d.message_seq, d.key FROM document_changes c JOIN documents d ON d.message_seq = c.message_seq
    WHERE c.key = $1 AND d.issuer = $2
), told AS MATERIALIZED (
  SELECT message_seq FROM about
  UNION SELECT d.message_seq FROM (SELECT key FROM about UNION SELECT $1) k CROSS JOIN LATERAL
    (SELECT message_seq FROM documents s WHERE s.key = k.key AND s.issuer = $2 AND s.kind = 'status') d
)
{_LINE} WHERE l.message_seq IN (SELECT message_seq FROM told) ORDER BY l.message_seq
"""


async def _lines(connection: Connection, asked: str, values: tuple[Any, ...]) -> list[Registered]:
    return [_registered(tuple(row)) for row in await connection.fetch(asked, *values)]


def _registered(row: Sequence[Any]) -> Registered:
    place, message, source, accepted_at, parked, systems = row[WIDTH:]
    return Registered(place, message, source, accepted_at, entry_of(row), parked == WAITING, names_of(systems))


async def _unpark(connection: Connection, asked: tuple[Sequence[int], Sequence[AuditRow]]) -> bool:
    places, audit = asked
    meant = sorted(set(places))
    # Locked before they are judged: the document of one may be on its way in.
    waiting = await connection.fetch(
        "SELECT message_seq FROM documents WHERE message_seq = ANY($1::int8[]) AND parked = $2"
        " ORDER BY message_seq FOR UPDATE",
        meant,
        WAITING,
    )
    if not meant or len(waiting) < len(meant):
        return False
    await connection.execute(
        "UPDATE documents SET parked = $2 WHERE message_seq = ANY($1::int8[])", meant, GIVEN_UP
    )  # fmt: skip
    await recording.audit(connection, audit)
    return True


_UNPARK: Final = one_by_one(_unpark)

_DUTY: Final = (
    "SELECT m.key::text, l.key, l.issuer, d.agency, d.name, d.due, d.level, d.next_at FROM duties d"
    " JOIN documents l ON l.message_seq = d.message_seq JOIN messages m ON m.seq = d.message_seq"
)


async def _duties(connection: Connection, due_by: float | None, agency: str | None, limit: int) -> list[Duty]:
    # Spelled one by one, so that each is answered by an index of its own.
    conditions, values = ["TRUE"], [limit]
    for condition, value in (("d.next_at IS NOT NULL AND d.next_at <=", due_by), ("d.agency =", agency)):
        if value is not None:
            values.append(value)  # type: ignore[arg-type]
            conditions.append(f"{condition} ${len(values)}")
    rows = await connection.fetch(
        f"{_DUTY} WHERE {' AND '.join(conditions)} ORDER BY d.due, d.message_seq, d.agency, d.name LIMIT $1", *values
    )
    return [_duty(tuple(row)) for row in rows]


def _duty(row: Sequence[Any]) -> Duty:
    message, key, issuer, agency, name, due, level, next_at = row
    return Duty(message, key, issuer, agency, name, due, level, math.inf if next_at is None else next_at)


@dataclass(frozen=True, slots=True)
class _Change:
    duty: Duty
    level: int
    next_at: float | None
    audit: AuditRow | None


async def _change(connection: Connection, asked: _Change) -> bool:
    duty = asked.duty
    if not is_uuid(duty.message):
        return False
    tag = await connection.execute(
        "UPDATE duties SET level = $1, next_at = $2 WHERE agency = $3 AND name = $4 AND level = $5"
        " AND message_seq = (SELECT message_seq FROM ids WHERE key = $6::uuid)",
        asked.level, asked.next_at, duty.agency, duty.name, duty.level, duty.message,
    )  # fmt: skip
    written = tag == "UPDATE 1"
    if written and asked.audit is not None:
        await recording.audit(connection, [asked.audit])
    return written


_CHANGE: Final = one_by_one(_change)
