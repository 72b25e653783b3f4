"""Requests of late subscribers in the tables; a slice is one transaction: its deliveries and how far the request is."""

# ruff: noqa: D102, S608 - ports.backfills says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from gateway.core.backfill import Found, Phase
from gateway.ports import AuditRow, Ledger
from gateway.ports.backfills import Made, Request, Slice
from gateway.store.postgres import accepting, locks, recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.failures import Bound
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one

#: Bytes of envelopes in one slice, the last one may go over it, and messages whose sizes are looked at together.
_MOST_BYTES: Final = 8 * 1024 * 1024


class PostgresBackfills:
    """Keeps every promise of ``ports.backfills.Backfills`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def ask(self, request: Request, audit: AuditRow) -> Request:
        return await self._ledger.write(_ASK, (request, audit))

    async def find(self, id: str) -> Request | None:
        return await self._ledger.read(partial(_find, id=id))

    async def listed(self, *, system: str | None = None, phase: Phase | None = None, limit: int = 100) -> list[Request]:
        return await self._ledger.read(partial(_listed, system=system, phase=phase, limit=limit))

    async def change(self, before: Phase, request: Request, audit: AuditRow) -> bool:
        return await self._ledger.write(_CHANGE, (before, request, audit))

    async def lease(self, owner: str, *, now: float, until: float) -> list[Request]:
        if not await self._ledger.read(_is_any_open):
            return []
        return await self._ledger.write(_LEASE, (owner, now, until))

    async def count(self, request: Request, *, most: int) -> int:
        return await self._ledger.read(partial(_count, request=request, most=most))

    async def missed(self, request: Request, *, after: int, limit: int) -> Slice:
        return await self._ledger.read(partial(_missed, request=request, after=after, limit=limit))

    async def waiting(self, recipient: str, *, most: int) -> int:
        return await self._ledger.read(partial(_waiting, recipient=recipient, most=most))

    async def make(self, request: Request, made: Made, *, owner: str, audit: AuditRow, now: float) -> bool:
        return await self._ledger.write(_MAKE, _Asked(request, made, owner, audit, now))


def backfills_of(ledger: Ledger) -> PostgresBackfills:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresBackfills(ledger)


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


async def _ask(connection: Connection, asked: tuple[Request, AuditRow]) -> Request:
    request, row = asked
    held = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM backfills WHERE system = $1 AND contract = $2 AND {_OPEN}",
        request.system,
        request.contract,
    )
    if held is not None:
        return _request(held)
    last = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM messages")
    await connection.execute(
        f"INSERT INTO backfills ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, NULL, NULL, 0, 0,"
        " '{}')",
        request.id, request.system, request.contract, request.since, request.until, request.reason,
        request.asked_at, request.phase.value, last,
    )  # fmt: skip
    await recording.audit(connection, [row])
    return replace(request, last=last)


#: Keep a request, unless the system has an open one for the contract. While it looks for the youngest message nobody
#: places deliveries: so every message up to that one is there for good.
_ASK: Final = one_by_one(_ask, locks=lambda _: locks.ALONE)


async def _find(connection: Connection, id: str) -> Request | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM backfills WHERE id = $1", id)
    return None if row is None else _request(row)


async def _listed(connection: Connection, system: str | None, phase: Phase | None, limit: int) -> list[Request]:
    bound = Bound()
    given = (("system", system), ("phase", None if phase is None else phase.value))
    conditions = " AND ".join(f"{name} = {bound(value)}" for name, value in given if value is not None)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM backfills WHERE {conditions or 'TRUE'} ORDER BY number DESC LIMIT {bound(limit)}",
        *bound,
    )
    return [_request(row) for row in rows]


async def _change(connection: Connection, asked: tuple[Phase, Request, AuditRow]) -> bool:
    before, now, row = asked
    number = await connection.fetchval(
        "UPDATE backfills SET phase = $1, decided_by = $2, decision = $3, decided_at = $4, ended_at = $5"
        " WHERE id = $6 AND phase = $7 RETURNING number",
        now.phase.value, now.decided_by, now.decision, now.decided_at, now.ended_at, now.id, before.value,
    )  # fmt: skip
    if number is not None:
        await recording.audit(connection, [row])
    return number is not None


#: Write phase, decision and end of a request that is still in a phase.
_CHANGE: Final = one_by_one(_change)

# ---------------------------------------------------------------------------------------------------------- driving


async def _is_any_open(connection: Connection) -> bool:
    return bool(await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM backfills WHERE {_DRIVEN})"))


async def _lease(connection: Connection, asked: tuple[str, float, float]) -> list[Request]:
    rows = await connection.fetch(
        "UPDATE backfills SET lease_owner = $1, lease_until = $3 WHERE number IN (SELECT number FROM backfills"
        f"  WHERE {_DRIVEN} AND (lease_owner = $1 OR coalesce(lease_until, 0) <= $2) ORDER BY number FOR UPDATE)"
        f" RETURNING number, {_COLUMNS}",
        *asked,
    )
    return [_request(row[1:]) for row in sorted(rows, key=lambda row: int(row[0]))]


#: Take the lease of what is approved or running: (owner, now, until).
_LEASE: Final = one_by_one(_lease)

_MEANT: Final = (
    "FROM messages m WHERE m.type = $1 AND m.seq > $2 AND m.seq <= $3 AND m.accepted_at >= $4"
    " AND ($5::float8 IS NULL OR m.accepted_at < $5)"
)
#: What is meant, without the bodies: with the size of those that are needed. Whether the system has a message already
#: is asked of each by itself; a delivery's number is higher than its message's.
_MISSED: Final = f"""
SELECT q.seq, i.source, d.is_there IS NOT NULL, CASE WHEN d.is_there THEN 0 ELSE coalesce(length(b.envelope), 0) END
  FROM (SELECT m.seq, m.key {_MEANT} ORDER BY m.seq LIMIT $7) q JOIN ids i ON i.key = q.key
  LEFT JOIN LATERAL (SELECT TRUE AS is_there FROM every_delivery
    WHERE message_seq = q.seq AND seq > q.seq AND recipient = $6 LIMIT 1) d ON TRUE
  LEFT JOIN bodies b ON b.message_seq = q.seq ORDER BY q.seq
"""


def _values(request: Request, after: int) -> tuple[Any, ...]:
    return request.contract, after, request.last, request.since, request.until


async def _count(connection: Connection, request: Request, most: int) -> int:
    asked = f"SELECT count(*) FROM (SELECT 1 {_MEANT} LIMIT $6) q"
    return int(await connection.fetchval(asked, *_values(request, 0), most))


async def _missed(connection: Connection, request: Request, after: int, limit: int) -> Slice:
    rows = await connection.fetch(_MISSED, *_values(request, after), request.system, limit)
    total = 0
    for count, row in enumerate(rows, 1):
        total += row[3]
        if total >= _MOST_BYTES:
            rows, end = rows[:count], row[0]
            break
    else:
        end = request.last if len(rows) < limit else rows[-1][0]
    wanted = [seq for seq, _, is_recipient, _ in rows if not is_recipient]
    bodies = await connection.fetch(
        "SELECT message_seq, envelope FROM bodies WHERE message_seq = ANY($1::int8[])", wanted
    )
    envelopes = dict(bodies)
    found = (Found(seq, source, envelopes.get(seq), is_recipient) for seq, source, is_recipient, _ in rows)
    return Slice(tuple(found), end)


async def _waiting(connection: Connection, recipient: str, most: int) -> int:
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'queued' AND recipient = $1 LIMIT $2) q",
            recipient,
            most,
        )
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request
    made: Made
    owner: str
    audit: AuditRow
    now: float


async def _make(connection: Connection, asked: _Asked) -> bool:
    request, made = asked.request, asked.made
    row = await connection.fetchrow(
        "SELECT phase, lease_owner, reached, left_out FROM backfills WHERE id = $1 FOR UPDATE", request.id
    )
    if row is None or tuple(row[:3]) != (Phase.RUNNING.value, asked.owner, request.reached):
        return False
    ids = [delivery.id for delivery in made.deliveries]
    if await connection.fetchval("SELECT EXISTS (SELECT 1 FROM every_delivery WHERE id = ANY($1::uuid[]))", ids):
        return False
    messages = {delivery.message for delivery in made.deliveries}
    kept = await connection.fetch(
        "SELECT i.key::text, i.message_seq FROM ids i CROSS JOIN LATERAL"
        " (SELECT FROM bodies WHERE message_seq = i.message_seq LIMIT 1) AS is_kept WHERE i.key = ANY($1::uuid[])",
        list(messages),
    )
    seqs = dict(kept)
    if len(seqs) < len(messages):
        return False  # retention was quicker
    await accepting.add(connection, [(seqs[delivery.message], delivery) for delivery in made.deliveries], asked.now)
    left_out = Counter(json.loads(row[3])) + Counter(made.left_out)
    await connection.execute(
        "UPDATE backfills SET reached = $1, made = made + $2, left_out = $3 WHERE id = $4",
        made.slice.end,
        len(made.deliveries),
        json.dumps(left_out),
        request.id,
    )
    await recording.audit(connection, [asked.audit])
    return True


#: Make the deliveries of a slice.
_MAKE: Final = one_by_one(
    _make, locks=lambda asked: locks.lanes(each.lane for each in asked.made.deliveries) + locks.KEEPING
)
