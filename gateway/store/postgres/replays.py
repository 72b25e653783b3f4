"""Operations in the tables: a snapshot is rows, each turn is one transaction with the step of its delivery."""

# ruff: noqa: D102, S608 - ports.replays says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway.core.delivery import State
from gateway.core.replay import Candidate, Phase, Progress
from gateway.ports import AuditRow, Ledger
from gateway.ports.failures import Sought
from gateway.ports.replays import Item, Move, Operation, Outcome, Turn
from gateway.store.operations import COLUMNS, COUNTED, JUDGED, MOVED, operation_of, recent, row_of
from gateway.store.postgres import failures, recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.rows import DELIVERY, DELIVERY_WIDTH, delivery_of, is_uuid
from gateway.store.postgres.writer import one_by_one


class PostgresReplays:
    """Keeps every promise of ``ports.replays.Replays`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def candidates(self, sought: Sought, named: Sequence[str] | None, *, now: float) -> list[Candidate]:
        return await self._ledger.read(partial(_candidates, sought=sought, named=named, now=now))

    async def plan(self, operation: Operation, places: Sequence[int], audit: AuditRow) -> None:
        await self._ledger.write(_PLAN, (operation, places, audit))

    async def find(self, id: str) -> Operation | None:
        return await self._ledger.read(partial(_find, id=id))

    async def listed(self, *, limit: int = 50) -> list[Operation]:
        return await self._ledger.read(partial(_listed, limit=limit))

    async def counts(self, id: str) -> dict[Outcome, int]:
        return await self._ledger.read(partial(_counts, id=id))

    async def items(
        self, id: str, *, outcome: Outcome | None = None, after: str | None = None, limit: int = 100
    ) -> list[Item]:
        return await self._ledger.read(partial(_items, id=id, outcome=outcome, after=after, limit=limit))

    async def change(self, before: Phase, operation: Operation, audit: AuditRow) -> bool:
        return await self._ledger.write(_CHANGE, (before, operation, audit))

    async def lease(self, owner: str, *, now: float, until: float) -> list[Operation]:
        if not await self._ledger.read(_is_any_running):
            return []
        return await self._ledger.write(_LEASE, (owner, now, until))

    async def progress(self, id: str, *, judged: int) -> Progress:
        return await self._ledger.read(partial(_progress, id=id, judged=judged))

    async def turns(self, id: str, limit: int) -> list[Turn]:
        return await self._ledger.read(partial(_turns, id=id, limit=limit))

    async def move(
        self, id: str, moves: Sequence[Move], *, owner: str, next_at: float, now: float
    ) -> list[bool] | None:
        return await self._ledger.write(_MOVE, _Asked(id, moves, owner, next_at, now))


def failures_and_replays(ledger: Ledger) -> tuple[failures.PostgresFailures, PostgresReplays]:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return failures.PostgresFailures(ledger), PostgresReplays(ledger)


# ------------------------------------------------------------------------------------------------------- candidates

_CANDIDATE: Final = "SELECT d.seq, d.id::text, d.recipient, d.state, d.expires, b.is_kept IS NOT NULL FROM"
#: Whether the body of a delivery ``d`` is kept: asked of each by itself, never of all bodies there are.
_BODY: Final = (
    "LEFT JOIN LATERAL (SELECT TRUE AS is_kept FROM bodies WHERE message_seq = d.message_seq LIMIT 1) b ON TRUE"
)


async def _candidates(
    connection: Connection, sought: Sought, named: Sequence[str] | None, now: float
) -> list[Candidate]:
    if named is not None:
        return await _named(connection, [name for name in named if is_uuid(name)])
    bound = failures.Bound()
    rows = await connection.fetch(
        f"{_CANDIDATE} (SELECT f.delivery_seq {failures.dead(sought, bound)}) q"
        f" JOIN deliveries d ON d.seq = q.delivery_seq {_BODY} ORDER BY d.seq",
        *bound,
    )
    if not rows and sought.group is not None:
        places = await failures.stuck(connection, sought, now)
        rows = await connection.fetch(f"{_CANDIDATE} deliveries d {_BODY} WHERE d.seq = ANY($1) ORDER BY d.seq", places)
    return [_candidate(row) for row in rows]


async def _named(connection: Connection, names: Sequence[str]) -> list[Candidate]:
    messages = await connection.fetchval(
        "SELECT array_agg(message_seq) FROM ids WHERE key = ANY($1::uuid[]) AND target IS NULL", names
    )
    rows = await connection.fetch(
        f"{_CANDIDATE} every_delivery d {_BODY} WHERE d.id = ANY($1::uuid[]) OR d.message_seq = ANY($2) ORDER BY d.seq",
        names,
        messages or [],
    )
    return [_candidate(row) for row in rows]


def _candidate(row: Sequence[Any]) -> Candidate:
    seq, id_, recipient, state, expires, has_body = row
    return Candidate(id_, seq, recipient, State(state), expires, has_body)


# ------------------------------------------------------------------------------------------------------- operations

_NUMBER: Final = "(SELECT number FROM replays WHERE id = $1)"


async def _plan(connection: Connection, asked: tuple[Operation, Sequence[int], AuditRow]) -> None:
    operation, places, row = asked
    number = await connection.fetchval(
        f"INSERT INTO replays ({COLUMNS}, judged_after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)"
        " RETURNING number",
        *row_of(operation),
    )
    await connection.execute(
        "INSERT INTO replay_items (operation, delivery_seq, outcome) SELECT $1, seq, 'waiting'"
        " FROM unnest($2::int8[]) AS seq",
        number,
        list(places),
    )
    await recording.audit(connection, [row])


_PLAN: Final = one_by_one(_plan)


async def _find(connection: Connection, id: str) -> Operation | None:
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM replays WHERE id = $1", id)
    return None if row is None else operation_of(row)


async def _listed(connection: Connection, limit: int) -> list[Operation]:
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM replays ORDER BY number DESC LIMIT $1", limit)
    return [operation_of(row) for row in rows]


async def _counts(connection: Connection, id: str) -> dict[Outcome, int]:
    rows = await connection.fetch(
        f"SELECT outcome, count(*) FROM replay_items WHERE operation = {_NUMBER} GROUP BY outcome", id
    )
    return dict(rows)


async def _items(connection: Connection, id: str, outcome: Outcome | None, after: str | None, limit: int) -> list[Item]:
    seen = 0
    if after is not None and is_uuid(after):
        seen = await connection.fetchval("SELECT seq FROM every_delivery WHERE id = $1", after) or 0
    rows = await connection.fetch(
        "SELECT d.id::text, d.recipient, i.outcome, i.reason FROM (SELECT * FROM replay_items"
        f"  WHERE operation = {_NUMBER} AND ($2::text IS NULL OR outcome = $2) AND delivery_seq > $3"
        "  ORDER BY delivery_seq LIMIT $4) i JOIN every_delivery d ON d.seq = i.delivery_seq ORDER BY d.seq",
        id,
        outcome,
        seen,
        limit,
    )
    return [Item(*row) for row in rows]


async def _change(connection: Connection, asked: tuple[Phase, Operation, AuditRow]) -> bool:
    before, now, row = asked
    number = await connection.fetchval(
        "UPDATE replays SET phase = $1, started_at = $2, ended_at = $3, why = $4, next_at = $5, lease_owner = NULL,"
        " lease_until = NULL, judged_after = CASE $1 WHEN 'running' THEN coalesce((SELECT max(delivery_seq)"
        "  FROM replay_items i WHERE i.operation = number AND outcome <> 'waiting'), 0) ELSE judged_after END"
        " WHERE id = $6 AND phase = $7 RETURNING number",
        now.phase.value, now.started_at, now.ended_at, now.why, now.next_at, now.id, before.value,
    )  # fmt: skip
    if number is not None:
        await recording.audit(connection, [row])
    return number is not None


_CHANGE: Final = one_by_one(_change)


# ---------------------------------------------------------------------------------------------------------- driving

#: Spelled as the partial index has it.
_RUNNING: Final = "phase IN ('planned', 'running') AND phase = 'running'"


async def _is_any_running(connection: Connection) -> bool:
    return bool(await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM replays WHERE {_RUNNING})"))


async def _lease(connection: Connection, asked: tuple[str, float, float]) -> list[Operation]:
    rows = await connection.fetch(
        f"UPDATE replays SET lease_owner = $1, lease_until = $3 WHERE number IN (SELECT number FROM replays"
        f"  WHERE {_RUNNING} AND (lease_owner = $1 OR coalesce(lease_until, 0) <= $2) ORDER BY number FOR UPDATE)"
        f" RETURNING number, {COLUMNS}",
        *asked,
    )
    return [operation_of(row[1:]) for row in sorted(rows, key=lambda row: int(row[0]))]


_LEASE: Final = one_by_one(_lease)


async def _progress(connection: Connection, id: str, judged: int) -> Progress:
    row = await connection.fetchrow("SELECT number, judged_after FROM replays WHERE id = $1", id)
    if row is None:
        return Progress(0, 0, 0)
    number, judged_after = row
    counted = await connection.fetch(
        "SELECT o, (SELECT count(*) FROM (SELECT 1 FROM replay_items WHERE operation = $1 AND outcome = o LIMIT $2) q)"
        " FROM unnest($3::text[]) AS o",
        number,
        COUNTED,
        ["waiting", *MOVED],
    )
    counts: dict[str, int] = dict(counted)
    ended = await connection.fetch(
        "SELECT i.delivery_seq, o <> 'delivered' FROM unnest($4::text[]) AS o CROSS JOIN LATERAL ("
        "  SELECT delivery_seq FROM replay_items WHERE operation = $1 AND outcome = o AND delivery_seq > $2"
        "  ORDER BY delivery_seq DESC LIMIT $3) i",
        number,
        judged_after,
        judged,
        list(JUDGED),
    )
    moved = min(COUNTED, sum(counts[outcome] for outcome in MOVED))
    return Progress(counts["waiting"], moved, counts["sent"], recent([(seq, fails) for seq, fails in ended], judged))


async def _turns(connection: Connection, id: str, limit: int) -> list[Turn]:
    rows = await connection.fetch(
        f"SELECT {DELIVERY}, b.is_kept IS NOT NULL"
        f" FROM (SELECT delivery_seq FROM replay_items WHERE operation = {_NUMBER} AND outcome = 'waiting'"
        f"  ORDER BY delivery_seq LIMIT $2) q JOIN every_delivery d ON d.seq = q.delivery_seq {_BODY} ORDER BY d.seq",
        id,
        limit,
    )
    return [Turn(delivery_of(row), row[DELIVERY_WIDTH]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    moves: Sequence[Move]
    owner: str
    next_at: float
    now: float


_WAITING: Final = """
SELECT d.id::text, d.seq FROM every_delivery d JOIN replay_items i ON i.operation = $2 AND i.delivery_seq = d.seq
  WHERE d.id = ANY($1::uuid[]) AND i.outcome = 'waiting'
"""
_DONE: Final = """
UPDATE replay_items i SET replays = d.replays, outcome = CASE d.state WHEN 'queued' THEN 'sent' ELSE d.state END
  FROM every_delivery d WHERE i.operation = $1 AND i.delivery_seq = d.seq AND d.seq = ANY($2::int8[])
"""
_SKIPPED: Final = """
UPDATE replay_items i SET outcome = 'skipped', reason = v.reason
  FROM unnest($2::int8[], $3::text[]) AS v (seq, reason) WHERE i.operation = $1 AND i.delivery_seq = v.seq
"""


async def _move(connection: Connection, asked: _Asked) -> list[bool] | None:
    row = await connection.fetchrow("SELECT number, phase, lease_owner FROM replays WHERE id = $1 FOR UPDATE", asked.id)
    if row is None or tuple(row[1:]) != (Phase.RUNNING.value, asked.owner):
        return None
    number = row[0]
    waiting = await connection.fetch(_WAITING, [move.delivery for move in asked.moves], number)
    seqs = dict(waiting)
    mine = [(move, move.change) for move in asked.moves if move.delivery in seqs]
    steps = [(move, change) for move, change in mine if change is not None]
    ((*written,),) = await recording.RECORD.run(connection, [([change for _, change in steps], asked.now)])
    done = [move for (move, _), is_written in zip(steps, written, strict=True) if is_written]
    await connection.execute(_DONE, number, [seqs[move.delivery] for move in done])
    await recording.audit(connection, [move.audit for move in done if move.audit is not None])
    skipped = [move for move, _ in mine if move.skipped is not None]
    await connection.execute(
        _SKIPPED, number, [seqs[move.delivery] for move in skipped], [move.skipped for move in skipped]
    )
    await connection.execute("UPDATE replays SET next_at = $1 WHERE number = $2", asked.next_at, number)
    names = {move.delivery for move in (*done, *skipped)}
    return [move.delivery in names for move in asked.moves]


def _locks(asked: _Asked) -> str:
    """Those of the steps."""
    return recording.RECORD.locks([([move.change for move in asked.moves if move.change is not None], asked.now)])


_MOVE: Final = one_by_one(_move, locks=_locks)
