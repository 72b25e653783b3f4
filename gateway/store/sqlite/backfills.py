"""Requests of late subscribers in the tables; a slice is one transaction: its deliveries and how far the request is."""

# ruff: noqa: D102, S608 - ports.backfills says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from gateway.core.backfill import Found, Phase
from gateway.ports import AuditRow, Ledger
from gateway.ports.backfills import Made, Request, Slice
from gateway.store.sqlite import accepting, recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one

#: Bytes of envelopes in one slice, the last one may go over it.
_MOST_BYTES: Final = 8 * 1024 * 1024


class SqliteBackfills:
    """Keeps every promise of ``ports.backfills.Backfills`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def ask(self, request: Request, audit: AuditRow) -> Request:
        return await self._ledger.write(ASK, (request, audit))

    async def find(self, id: str) -> Request | None:
        return await self._ledger.read(partial(find, id=id))

    async def listed(self, *, system: str | None = None, phase: Phase | None = None, limit: int = 100) -> list[Request]:
        return await self._ledger.read(partial(listed, system=system, phase=phase, limit=limit))

    async def change(self, before: Phase, request: Request, audit: AuditRow) -> bool:
        return await self._ledger.write(CHANGE, (before, request, audit))

    async def lease(self, owner: str, *, now: float, until: float) -> list[Request]:
        if not await self._ledger.read(is_any_open):
            return []
        return await self._ledger.write(LEASE, (owner, now, until))

    async def count(self, request: Request, *, most: int) -> int:
        return await self._ledger.read(partial(count, request=request, most=most))

    async def missed(self, request: Request, *, after: int, limit: int) -> Slice:
        return await self._ledger.read(partial(missed, request=request, after=after, limit=limit))

    async def waiting(self, recipient: str, *, most: int) -> int:
        return await self._ledger.read(partial(waiting, recipient=recipient, most=most))

    async def make(self, request: Request, made: Made, *, owner: str, audit: AuditRow, now: float) -> bool:
        return await self._ledger.write(MAKE, Asked(request, made, owner, audit, now))


def backfills_of(ledger: Ledger) -> SqliteBackfills:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteBackfills(ledger)


# --------------------------------------------------------------------------------------------------------- requests

_COLUMNS: Final = (
    "id, system, contract, since, until, reason, asked_at, phase, last, decided_by, decision, decided_at, ended_at,"
    " reached, made, left_out"
)
#: Spelled as the partial index has it.
_OPEN: Final = "phase IN ('asked', 'approved', 'running')"
_DRIVEN: Final = "phase IN ('approved', 'running')"


def _request(row: Sequence[Any]) -> Request:
    values: list[Any] = [*row[:7], Phase(row[7]), *row[8:15], json.loads(row[15])]
    return Request(*values)


def _ask(connection: sqlite3.Connection, asked: tuple[Request, AuditRow]) -> Request:
    request, row = asked
    held = connection.execute(
        f"SELECT {_COLUMNS} FROM backfills WHERE system = ? AND contract = ? AND {_OPEN}",
        (request.system, request.contract),
    ).fetchone()
    if held is not None:
        return _request(held)
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM messages").fetchone()
    connection.execute(
        f"INSERT INTO backfills ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, 0, 0, '{{}}')",
        (
            request.id, request.system, request.contract, request.since, request.until, request.reason,
            request.asked_at, request.phase.value, last,
        ),
    )  # fmt: skip
    recording.audit(connection, [row])
    return replace(request, last=last)


#: Keep a request, unless the system has an open one for the contract.
ASK: Final = one_by_one(_ask)


def find(connection: sqlite3.Connection, id: str) -> Request | None:
    """One request."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM backfills WHERE id = ?", (id,)).fetchone()
    return None if row is None else _request(row)


def listed(connection: sqlite3.Connection, system: str | None, phase: Phase | None, limit: int) -> list[Request]:
    """Requests, the youngest first."""
    conditions = [name for name, given in (("system", system), ("phase", phase)) if given is not None]
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM backfills WHERE {' AND '.join(f'{name} = :{name}' for name in conditions) or 'TRUE'}"
        " ORDER BY number DESC LIMIT :limit",
        {"system": system, "phase": None if phase is None else phase.value, "limit": limit},
    )
    return [_request(row) for row in rows]


def _change(connection: sqlite3.Connection, asked: tuple[Phase, Request, AuditRow]) -> bool:
    before, now, row = asked
    written = connection.execute(
        "UPDATE backfills SET phase = ?, decided_by = ?, decision = ?, decided_at = ?, ended_at = ?"
        " WHERE id = ? AND phase = ?",
        (now.phase.value, now.decided_by, now.decision, now.decided_at, now.ended_at, now.id, before.value),
    ).rowcount
    if written:
        recording.audit(connection, [row])
    return written == 1


#: Write phase, decision and end of a request that is still in a phase.
CHANGE: Final = one_by_one(_change)

# ---------------------------------------------------------------------------------------------------------- driving


def is_any_open(connection: sqlite3.Connection) -> bool:
    """Whether any request is approved or running."""
    return connection.execute(f"SELECT 1 FROM backfills WHERE {_DRIVEN} LIMIT 1").fetchone() is not None


def _lease(connection: sqlite3.Connection, asked: tuple[str, float, float]) -> list[Request]:
    owner, now, until = asked
    rows = connection.execute(
        f"UPDATE backfills SET lease_owner = ?1, lease_until = ?3 WHERE {_DRIVEN}"
        " AND (lease_owner = ?1 OR coalesce(lease_until, 0) <= ?2)"
        f" RETURNING number, {_COLUMNS}",
        (owner, now, until),
    ).fetchall()
    return [_request(row[1:]) for row in sorted(rows, key=lambda row: int(row[0]))]


#: Take the lease of what is approved or running: (owner, now, until).
LEASE: Final = one_by_one(_lease)

_MEANT: Final = (
    "FROM messages m INDEXED BY messages_by_type"
    " WHERE m.type = :type AND m.seq > :after AND m.seq <= :last AND m.accepted_at >= :since"
    " AND (:until IS NULL OR m.accepted_at < :until)"
)
_MISSED: Final = f"""
SELECT q.seq, q.source, q.is_recipient,
    CASE q.is_recipient WHEN 0 THEN (SELECT envelope FROM bodies WHERE message_seq = q.seq) END
  FROM (SELECT m.seq, m.source,
      EXISTS (SELECT 1 FROM deliveries d WHERE d.message_seq = m.seq AND d.recipient = :system) AS is_recipient
    {_MEANT} ORDER BY m.seq LIMIT :limit) q
"""


def _values(request: Request, after: int, limit: int) -> dict[str, Any]:
    return {
        "type": request.contract, "since": request.since, "until": request.until, "last": request.last,
        "system": request.system, "after": after, "limit": limit,
    }  # fmt: skip


def count(connection: sqlite3.Connection, request: Request, most: int) -> int:
    """How many messages a request means, counted to ``most``."""
    asked = connection.execute(f"SELECT count(*) FROM (SELECT 1 {_MEANT} LIMIT :limit)", _values(request, 0, most))
    return int(asked.fetchone()[0])


def missed(connection: sqlite3.Connection, request: Request, after: int, limit: int) -> Slice:
    """The next messages that a request means."""
    found: list[Found] = []
    size = 0
    for seq, source, is_recipient, envelope in connection.execute(_MISSED, _values(request, after, limit)):
        found.append(Found(seq, source, envelope, is_recipient == 1))
        size += len(envelope or b"")
        if size >= _MOST_BYTES:
            return Slice(tuple(found), seq)
    return Slice(tuple(found), request.last if len(found) < limit else found[-1].place)


def waiting(connection: sqlite3.Connection, recipient: str, most: int) -> int:
    """How many deliveries to a recipient are queued, counted to ``most``."""
    asked = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'queued' AND recipient = ? LIMIT ?)",
        (recipient, most),
    )
    return int(asked.fetchone()[0])


@dataclass(frozen=True, slots=True)
class Asked:
    """What :data:`MAKE` is asked for."""

    request: Request
    made: Made
    owner: str
    audit: AuditRow
    now: float


def _make(connection: sqlite3.Connection, asked: Asked) -> bool:
    request, made = asked.request, asked.made
    row = connection.execute(
        "SELECT phase, lease_owner, reached, left_out FROM backfills WHERE id = ?", (request.id,)
    ).fetchone()
    if row is None or row[:3] != (Phase.RUNNING.value, asked.owner, request.reached):
        return False
    ids = json.dumps([delivery.id for delivery in made.deliveries])
    if connection.execute(
        "SELECT 1 FROM json_each(?) q CROSS JOIN deliveries d ON d.id = q.value LIMIT 1", (ids,)
    ).fetchone():
        return False
    messages = {delivery.message for delivery in made.deliveries}
    seqs = dict(
        connection.execute(
            "SELECT m.key, m.seq FROM json_each(?) q CROSS JOIN messages m ON m.key = q.value"
            " CROSS JOIN bodies b ON b.message_seq = m.seq",
            (json.dumps(list(messages)),),
        ).fetchall()
    )
    if len(seqs) < len(messages):
        return False  # retention was quicker
    accepting.add(connection, [(seqs[delivery.message], delivery) for delivery in made.deliveries], asked.now)
    left_out = Counter(json.loads(row[3])) + Counter(made.left_out)
    connection.execute(
        "UPDATE backfills SET reached = ?, made = made + ?, left_out = ? WHERE id = ?",
        (made.slice.end, len(made.deliveries), json.dumps(left_out), request.id),
    )
    recording.audit(connection, [asked.audit])
    return True


#: Make the deliveries of a slice.
MAKE: Final = one_by_one(_make)
