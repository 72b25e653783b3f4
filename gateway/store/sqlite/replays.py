"""Operations in the tables: a snapshot is rows, each turn is one transaction with the step of its delivery."""

# ruff: noqa: D102, S608 - ports.replays says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
import sqlite3
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
from gateway.store.sqlite import failures, recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, delivery_of
from gateway.store.sqlite.writer import one_by_one


class SqliteReplays:
    """Keeps every promise of ``ports.replays.Replays`` in the file of a :class:`SqliteLedger`, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
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


def failures_and_replays(ledger: Ledger) -> tuple[failures.SqliteFailures, SqliteReplays]:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return failures.SqliteFailures(ledger), SqliteReplays(ledger)


# ------------------------------------------------------------------------------------------------------- candidates

_CANDIDATE: Final = (
    "SELECT d.seq, d.id, d.recipient, d.state, d.expires,"
    " EXISTS (SELECT 1 FROM bodies WHERE message_seq = d.message_seq)"
)


def _candidates(
    connection: sqlite3.Connection, sought: Sought, named: Sequence[str] | None, now: float
) -> list[Candidate]:
    if named is not None:
        asked = json.dumps([name.lower() for name in named])
        rows = connection.execute(
            f"{_CANDIDATE} FROM (SELECT d.seq FROM json_each(?1) q CROSS JOIN deliveries d ON d.id = q.value"
            " UNION SELECT d.seq FROM json_each(?1) q CROSS JOIN messages m ON m.key = q.value"
            " CROSS JOIN deliveries d ON d.message_seq = m.seq) q CROSS JOIN deliveries d ON d.seq = q.seq"
            " ORDER BY d.seq",
            (asked,),
        )
    else:
        meant, values = failures.dead(sought)
        rows = connection.execute(
            f"{_CANDIDATE} FROM (SELECT f.delivery_seq {meant} ORDER BY f.delivery_seq) q"
            " CROSS JOIN deliveries d ON d.seq = q.delivery_seq",
            values,
        )
    found = [_candidate(row) for row in rows]
    if named is None and sought.group is not None and not found:
        places = json.dumps(failures.stuck(connection, sought, now))
        rows = connection.execute(
            f"{_CANDIDATE} FROM json_each(?) q CROSS JOIN deliveries d ON d.seq = q.value ORDER BY d.seq", (places,)
        )
        found = [_candidate(row) for row in rows]
    return found


def _candidate(row: tuple[Any, ...]) -> Candidate:
    seq, id_, recipient, state, expires, has_body = row
    return Candidate(id_, seq, recipient, State(state), expires, has_body == 1)


# ------------------------------------------------------------------------------------------------------- operations


def _plan(connection: sqlite3.Connection, asked: tuple[Operation, Sequence[int], AuditRow]) -> None:
    operation, places, row = asked
    number = connection.execute(
        f"INSERT INTO replays ({COLUMNS}, judged_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING number",
        row_of(operation),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO replay_items (operation, delivery_seq, outcome) SELECT ?, value, 'waiting' FROM json_each(?)",
        (number, json.dumps(list(places))),
    )
    recording.audit(connection, [row])


_PLAN: Final = one_by_one(_plan)


def _find(connection: sqlite3.Connection, id: str) -> Operation | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM replays WHERE id = ?", (id,)).fetchone()
    return None if row is None else operation_of(row)


def _listed(connection: sqlite3.Connection, limit: int) -> list[Operation]:
    rows = connection.execute(f"SELECT {COLUMNS} FROM replays ORDER BY number DESC LIMIT ?", (limit,))
    return [operation_of(row) for row in rows]


def _counts(connection: sqlite3.Connection, id: str) -> dict[Outcome, int]:
    rows = connection.execute(
        "SELECT outcome, count(*) FROM replay_items WHERE operation = (SELECT number FROM replays WHERE id = ?)"
        " GROUP BY outcome",
        (id,),
    )
    return dict(rows.fetchall())


def _items(
    connection: sqlite3.Connection, id: str, outcome: Outcome | None, after: str | None, limit: int
) -> list[Item]:
    rows = connection.execute(
        "SELECT d.id, d.recipient, i.outcome, i.reason FROM replay_items i"
        " CROSS JOIN deliveries d ON d.seq = i.delivery_seq"
        " WHERE i.operation = (SELECT number FROM replays WHERE id = :id)"
        f" AND {'i.outcome = :outcome' if outcome is not None else ':outcome IS NULL'}"
        " AND i.delivery_seq > coalesce((SELECT seq FROM deliveries WHERE id = :after), 0)"
        " ORDER BY i.delivery_seq LIMIT :limit",
        {"id": id, "outcome": outcome, "after": after, "limit": limit},
    )
    return [Item(*row) for row in rows]


def _change(connection: sqlite3.Connection, asked: tuple[Phase, Operation, AuditRow]) -> bool:
    before, now, row = asked
    written = connection.execute(
        "UPDATE replays SET phase = ?, started_at = ?, ended_at = ?, why = ?, next_at = ?, lease_owner = NULL,"
        " lease_until = NULL, judged_after = CASE ? WHEN 'running' THEN coalesce((SELECT max(delivery_seq)"
        "  FROM replay_items i WHERE i.operation = number AND outcome <> 'waiting'), 0) ELSE judged_after END"
        " WHERE id = ? AND phase = ?",
        (now.phase.value, now.started_at, now.ended_at, now.why, now.next_at, now.phase.value, now.id, before.value),
    ).rowcount
    if written:
        recording.audit(connection, [row])
    return written == 1


_CHANGE: Final = one_by_one(_change)


# ---------------------------------------------------------------------------------------------------------- driving


def _is_any_running(connection: sqlite3.Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM replays WHERE phase IN ('planned', 'running') AND phase = 'running' LIMIT 1"
    )
    return found.fetchone() is not None


def _lease(connection: sqlite3.Connection, asked: tuple[str, float, float]) -> list[Operation]:
    owner, now, until = asked
    rows = connection.execute(
        "UPDATE replays SET lease_owner = ?1, lease_until = ?3"
        " WHERE phase IN ('planned', 'running') AND phase = 'running'"
        " AND (lease_owner = ?1 OR coalesce(lease_until, 0) <= ?2)"
        f" RETURNING number, {COLUMNS}",
        (owner, now, until),
    ).fetchall()
    return [operation_of(row[1:]) for row in sorted(rows, key=lambda row: int(row[0]))]


_LEASE: Final = one_by_one(_lease)

_OF: Final = "FROM replay_items WHERE operation = ? AND outcome = '{outcome}'"


def _progress(connection: sqlite3.Connection, id: str, judged: int) -> Progress:
    row = connection.execute("SELECT number, judged_after FROM replays WHERE id = ?", (id,)).fetchone()
    if row is None:
        return Progress(0, 0, 0)
    number, judged_after = row

    def count(outcome: str) -> int:
        asked = f"SELECT count(*) FROM (SELECT 1 {_OF.format(outcome=outcome)} LIMIT {COUNTED})"
        return int(connection.execute(asked, (number,)).fetchone()[0])

    ended: list[tuple[int, bool]] = []
    for outcome in JUDGED:
        asked = (
            f"SELECT delivery_seq {_OF.format(outcome=outcome)} AND delivery_seq > ? ORDER BY delivery_seq DESC LIMIT ?"
        )
        found = connection.execute(asked, (number, judged_after, judged))
        ended += [(seq, outcome != "delivered") for (seq,) in found]
    counts = {outcome: count(outcome) for outcome in MOVED}
    moved = min(COUNTED, sum(counts.values()))
    return Progress(count("waiting"), moved, counts["sent"], recent(ended, judged))


def _turns(connection: sqlite3.Connection, id: str, limit: int) -> list[Turn]:
    rows = connection.execute(
        f"SELECT {DELIVERY}, EXISTS (SELECT 1 FROM bodies WHERE message_seq = d.message_seq)"
        " FROM (SELECT delivery_seq FROM replay_items WHERE operation = (SELECT number FROM replays WHERE id = ?)"
        "  AND outcome = 'waiting' ORDER BY delivery_seq LIMIT ?) q"
        " CROSS JOIN deliveries d ON d.seq = q.delivery_seq CROSS JOIN messages m ON m.seq = d.message_seq",
        (id, limit),
    )
    return [Turn(delivery_of(row), row[DELIVERY_WIDTH] == 1) for row in rows]


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    moves: Sequence[Move]
    owner: str
    next_at: float
    now: float


_WAITING: Final = """
SELECT d.id, d.seq FROM json_each(?) q CROSS JOIN deliveries d ON d.id = q.value
  CROSS JOIN replay_items i ON i.operation = ? AND i.delivery_seq = d.seq WHERE i.outcome = 'waiting'
"""
_DONE: Final = """
UPDATE replay_items SET
    replays = (SELECT replays FROM deliveries WHERE seq = delivery_seq),
    outcome = (SELECT CASE state WHEN 'queued' THEN 'sent' ELSE state END FROM deliveries WHERE seq = delivery_seq)
  WHERE operation = ? AND delivery_seq IN (SELECT value FROM json_each(?))
"""


def _move(connection: sqlite3.Connection, asked: _Asked) -> list[bool] | None:
    row = connection.execute("SELECT number, phase, lease_owner FROM replays WHERE id = ?", (asked.id,)).fetchone()
    if row is None or row[1:] != (Phase.RUNNING.value, asked.owner):
        return None
    number = row[0]
    ids = json.dumps([move.delivery for move in asked.moves])
    seqs = dict(connection.execute(_WAITING, (ids, number)).fetchall())
    mine = [(move, move.change) for move in asked.moves if move.delivery in seqs]
    steps = [(move, change) for move, change in mine if change is not None]
    ((*written,),) = recording.RECORD.run(connection, [([change for _, change in steps], asked.now)])
    done = [move for (move, _), is_written in zip(steps, written, strict=True) if is_written]
    connection.execute(_DONE, (number, json.dumps([seqs[move.delivery] for move in done])))
    recording.audit(connection, [move.audit for move in done if move.audit is not None])
    skipped = [(move.skipped, number, seqs[move.delivery]) for move, _ in mine if move.skipped is not None]
    connection.executemany(
        "UPDATE replay_items SET outcome = 'skipped', reason = ? WHERE operation = ? AND delivery_seq = ?", skipped
    )
    connection.execute("UPDATE replays SET next_at = ? WHERE number = ?", (asked.next_at, number))
    names = {move.delivery for move in done} | {move.delivery for move, _ in mine if move.skipped is not None}
    return [move.delivery in names for move in asked.moves]


_MOVE: Final = one_by_one(_move)
