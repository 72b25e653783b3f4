"""Writing steps of deliveries: one statement for a group, and another to free what waited behind those that ended."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from gateway.core.delivery import Delivery, Freed, Held, State
from gateway.ports import AuditRow, Change
from gateway.store.leaves import audit_leaf
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import (
    DELIVERY,
    DELIVERY_WIDTH,
    FIXED,
    MOVING,
    arrays,
    columns,
    delivery_of,
    move,
    moving,
)
from gateway.store.postgres.writer import Step
from gateway.store.waves import Timed, waves

_BEFORE: Final = {f"before_{name}": type_ for name, type_ in MOVING.items()}
_AFTER: Final = {f"after_{name}": type_ for name, type_ in MOVING.items()}
_ATTEMPT: Final = {
    "number": "int4", "started_at": "float8", "ended_at": "float8", "outcome": "text", "status": "int4",
    "detail": "text",
}  # fmt: skip
_ASKED: Final = {
    "place": "int4", "id": "uuid", "is_over": "bool", **_BEFORE, **_AFTER, **_ATTEMPT, "leaf": "bytea",
    "proof": "bytea",
}  # fmt: skip
_NO_ATTEMPT: Final = (None,) * len(_ATTEMPT)

#: Still exactly as before: what never changes follows from the id.
_SAME: Final = (
    f"({', '.join(f'd.{name}' for name in MOVING)}) IS NOT DISTINCT FROM ({', '.join(f'a.{name}' for name in _BEFORE)})"
)
_KEPT: Final = ("seq", "message_seq", "leased_at", *FIXED)
#: What comes with a step: written only where the step is.
_WITH: Final = ("place", "before_owes_outcome", "after_owes_outcome", *_ATTEMPT, "leaf", "proof")
_RETURNED: Final = ", ".join(f"a.{name}" for name in _WITH)
_ALL_RETURNED: Final = ", ".join(f"a.{name}" for name in dict.fromkeys((*_AFTER, *_WITH)))
#: What is over leaves for ``ended``. Answers the places of those that were written and, where one ended, what heads its
#: lane now if that is blocked.
_RECORD: Final = f"""
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest({arrays(_ASKED.values())}) AS a ({", ".join(_ASKED)})
), gone AS (
  DELETE FROM deliveries d USING asked a WHERE a.is_over AND d.id = a.id AND {_SAME}
    RETURNING {", ".join(f"d.{name}" for name in _KEPT)}, {_ALL_RETURNED}
), moved AS (
  UPDATE deliveries d SET {", ".join(f"{name} = a.after_{name}" for name in MOVING)}
    FROM asked a WHERE NOT a.is_over AND d.id = a.id AND {_SAME} RETURNING d.seq, {_RETURNED}
), over AS (
  INSERT INTO ended ({", ".join(_KEPT)}, {", ".join(MOVING)})
    SELECT {", ".join(_KEPT)}, {", ".join(_AFTER)} FROM gone
), written AS (
  SELECT seq, lane, {", ".join(_WITH)} FROM gone UNION ALL SELECT seq, NULL, {", ".join(_WITH)} FROM moved
), tried AS (
  INSERT INTO attempts (seq, delivery_seq, {", ".join(_ATTEMPT)})
    SELECT nextval('seq'), seq, {", ".join(_ATTEMPT)} FROM written WHERE number IS NOT NULL
), logged AS (
  INSERT INTO journal (seq, size, kind, bodies)
    SELECT nextval('seq'), count(*), 'receipt', array_agg(leaf ORDER BY place) FROM written WHERE leaf IS NOT NULL
      HAVING count(*) > 0
), proven AS (
  INSERT INTO proofs (delivery_seq, proof) SELECT seq, proof FROM written WHERE proof IS NOT NULL
    ON CONFLICT (delivery_seq) DO UPDATE SET proof = excluded.proof
), owed AS (
  INSERT INTO outcomes (delivery_seq, leaf) SELECT seq, leaf FROM written WHERE after_owes_outcome
    ON CONFLICT (delivery_seq) DO UPDATE SET leaf = coalesce(excluded.leaf, outcomes.leaf)
), settled AS (
  DELETE FROM outcomes o USING written w
    WHERE w.before_owes_outcome AND NOT w.after_owes_outcome AND o.delivery_seq = w.seq
), granted AS (
  INSERT INTO file_rights (sha256, system)
    SELECT f.sha256, g.recipient FROM gone g JOIN message_files f USING (message_seq)
      WHERE g.after_state = 'delivered' ORDER BY 1, 2
    ON CONFLICT DO NOTHING
)
SELECT w.place, h.* FROM written w LEFT JOIN LATERAL (
  SELECT {DELIVERY}, d.seq FROM deliveries d WHERE d.lane IS NOT NULL AND d.lane = w.lane AND d.seq <> w.seq
    ORDER BY d.seq LIMIT 1
) h ON h.state = 'blocked'
"""


def locks_of(changes: Sequence[Change]) -> str:
    """What a transaction that records these steps begins with."""
    return locks.lanes(change.before.lane for change in changes if change.after.is_over)


async def record(connection: Connection, requests: Sequence[tuple[Sequence[Change], float]]) -> list[list[bool]]:
    """Write steps, each where the delivery still is as before: (changes, now) -> which were written.

    The transaction holds :func:`locks_of` all of them.
    """
    holds: frozenset[str] | None = None
    written: list[bool] = []
    for wave in waves([(change, now) for changes, now in requests for change in changes]):
        if holds is None and any(change.after.state is State.QUEUED for change, _ in wave):
            holds = await _on_hold(connection)
        done, heads = await _write(connection, wave, holds or frozenset())
        if heads:
            holds = await _on_hold(connection) if holds is None else holds
            freed = [(seq, _held(head.after(Freed(now)), now, holds)) for seq, head, now in heads]
            await move(connection, freed)
        written += done
    answers = iter(written)
    return [[next(answers) for _ in changes] for changes, _ in requests]


async def _on_hold(connection: Connection) -> frozenset[str]:
    return frozenset(recipient for (recipient,) in await connection.fetch("SELECT recipient FROM holds"))


def _held(delivery: Delivery, now: float, holds: frozenset[str]) -> Delivery:
    """The delivery, or where it is queued for a destination on hold, that same held."""
    if delivery.recipient in holds and delivery.state is State.QUEUED:
        return delivery.after(Held(now))
    return delivery


async def _write(
    connection: Connection, wave: list[Timed], holds: frozenset[str]
) -> tuple[list[bool], list[tuple[int, Delivery, float]]]:
    """Which of the wave were written, and what may now be freed: (number, blocked delivery, moment)."""
    rows = [_row(place, change, _held(change.after, now, holds)) for place, (change, now) in enumerate(wave)]
    done = [False] * len(wave)
    heads = []
    for place, *head in await connection.fetch(_RECORD, *columns(rows, len(_ASKED))):
        done[place] = True
        if (seq := head[DELIVERY_WIDTH]) is not None:
            heads.append((seq, delivery_of(head), wave[place][1]))
    audits = [change.audit for place, (change, _) in enumerate(wave) if done[place] and change.audit is not None]
    await audit(connection, audits)
    return done, heads


def _row(place: int, change: Change, after: Delivery) -> tuple[Any, ...]:
    tried = change.attempt
    attempt = _NO_ATTEMPT if tried is None else (
        tried.number, tried.started_at, tried.ended_at, tried.outcome, tried.status, tried.detail
    )  # fmt: skip
    return (
        place, change.before.id, after.is_over, *moving(change.before), *moving(after), *attempt, change.leaf,
        change.proof,
    )  # fmt: skip


#: Write steps: all that wait are one batch.
RECORD: Final = Step(
    record, "record", lambda requests: locks_of(list(chain.from_iterable(changes for changes, _ in requests)))
)


async def audit(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Write audit rows to the journal."""
    if rows:
        await connection.execute(
            "INSERT INTO journal (seq, size, kind, bodies) VALUES (nextval('seq'), $1, 'audit', $2)",
            len(rows), [audit_leaf(row) for row in rows],
        )  # fmt: skip


async def _audit(connection: Connection, requests: Sequence[Sequence[AuditRow]]) -> list[None]:
    await audit(connection, list(chain.from_iterable(requests)))
    return [None for _ in requests]


#: Keep audit rows.
AUDIT: Final = Step(_audit)
