"""What failed, from the tables: the dead through their own index, the stuck by looking at what waits."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final

from gateway.core.failure import (
    STUCK_AFTER,
    STUCK_ATTEMPTS,
    STUCK_LEASE,
    Diagnosis,
    Symptom,
    normalised,
)
from gateway.ports.failures import Failed, Group, Sought
from gateway.store.failing import SAMPLES, diagnosed, failed, is_meant, kind_of, largest, merged, understood
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.rows import OPEN, STUCK, chunks, with_values
from gateway.store.sqlite.writer import one_by_one


class SqliteFailures:
    """Keeps every promise of ``ports.failures.Failures`` over the file of a :class:`SqliteLedger`."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def look(self, *, limit: int = 1000) -> int:
        """Give class and fingerprint to what died."""
        return await self._ledger.write(_LOOK, limit) if await self._ledger.read(_is_any_new) else 0

    async def groups(self, sought: Sought, *, now: float, limit: int = 200) -> list[Group]:
        """Groups, the largest first."""
        return await self._ledger.read(partial(groups, sought=sought, now=now, limit=limit))

    async def members(self, sought: Sought, *, now: float, after: str | None = None, limit: int = 100) -> list[Failed]:
        """Deliveries of groups."""
        return await self._ledger.read(partial(members, sought=sought, now=now, after=after, limit=limit))

    async def backlog(self) -> Mapping[str, Mapping[str, int]]:
        """How much waits where."""
        return await self._ledger.read(backlog)


_LAST: Final = "LEFT JOIN attempts a ON a.seq = (SELECT max(seq) FROM attempts WHERE delivery_seq = {seq})"

# ---------------------------------------------------------------------------------------------- looking at the dead

_NEW: Final = f"""
SELECT f.delivery_seq, f.recipient, f.contract, f.cause, a.outcome, a.status, a.detail,
       coalesce(a.ended_at, d.deadline, d.due)
  FROM failures f INDEXED BY failures_new CROSS JOIN deliveries d ON d.seq = f.delivery_seq
  {_LAST.format(seq="f.delivery_seq")} WHERE f.fingerprint IS NULL LIMIT ?
"""
_FILL: Final = (
    "UPDATE failures SET error = v.column2, fingerprint = v.column3, failed_at = v.column4 FROM (VALUES ",
    ") AS v WHERE failures.delivery_seq = v.column1",
)


def _is_any_new(connection: sqlite3.Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM failures INDEXED BY failures_new WHERE fingerprint IS NULL LIMIT 1"
    ).fetchone()
    return found is not None


def _look(connection: sqlite3.Connection, limit: int) -> int:
    rows = connection.execute(_NEW, (limit,)).fetchall()
    filled = []
    for seq, recipient, contract, cause, outcome, status, detail, at in rows:
        found = diagnosed(Symptom(recipient, contract, cause or None, outcome, status, detail))
        filled.append((seq, found.error, found.fingerprint, at))
    for chunk in chunks(filled):
        with_values(connection, _FILL[0], chunk, _FILL[1])
    return len(rows)


_LOOK: Final = one_by_one(_look)

# ------------------------------------------------------------------------------------------------------- conditions


def _conditions(sought: Sought, names: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """What narrows a question, with ``names`` of the columns; values are bound by name."""
    conditions, values = ["TRUE"], dict[str, Any]()

    def narrow(condition: str, **bound: Any) -> None:
        conditions.append(condition)
        values.update(bound)

    if sought.recipient is not None:
        narrow(f"{names['recipient']} = :recipient", recipient=sought.recipient)
    if sought.contract is not None:
        column = names["contract"]
        narrow(
            f"({column} = :contract OR ({column} >= :contract || '/' AND {column} < :contract || '0'))",
            contract=sought.contract,
        )
    if sought.since is not None:
        narrow(f"{names['at']} >= :since", since=sought.since)
    if sought.until is not None:
        narrow(f"{names['at']} < :until", until=sought.until)
    if sought.cause is not None and "error" in names:
        narrow(f"(({names['error']}) = :cause OR {names['cause']} = :cause)", cause=sought.cause)
    if sought.group is not None and "fingerprint" in names:
        narrow(f"{names['fingerprint']} = :fingerprint", fingerprint=sought.group)
    return " AND ".join(conditions), values


_DEAD_NAMES: Final = {
    "recipient": "f.recipient", "contract": "f.contract", "at": "f.failed_at", "error": "f.error", "cause": "f.cause",
    "fingerprint": "f.fingerprint",
}  # fmt: skip
_STUCK_NAMES: Final = {"recipient": "recipient", "contract": "contract", "at": "at"}


def dead(sought: Sought) -> tuple[str, dict[str, Any]]:
    """``FROM`` and ``WHERE`` of the dead that are meant (``f``), and the values to bind."""
    condition, values = _conditions(sought, _DEAD_NAMES)
    return f"FROM failures f WHERE f.fingerprint IS NOT NULL AND {condition}", values


# ----------------------------------------------------------------------------------------------------------- groups


def groups(connection: sqlite3.Connection, sought: Sought, now: float, limit: int) -> list[Group]:
    """Groups of what is dead, stuck or held, the largest first."""
    return largest([*_dead_groups(connection, sought), *_stuck_groups(connection, sought, now)], limit)


def _dead_groups(connection: sqlite3.Connection, sought: Sought) -> Iterator[Group]:
    meant, values = dead(sought)
    rows = connection.execute(
        "SELECT f.fingerprint, f.recipient, f.contract, f.error, f.cause, count(*), min(f.failed_at), max(f.failed_at)"
        f" {meant} GROUP BY f.fingerprint",
        values,
    ).fetchall()
    newest = (
        f"SELECT d.id, a.detail FROM (SELECT f.delivery_seq {meant} AND f.fingerprint = :each AND f.recipient = :r"
        f" AND f.contract = :c AND f.error = :e AND f.cause = :k ORDER BY f.failed_at DESC LIMIT {SAMPLES}) q"
        f" CROSS JOIN deliveries d ON d.seq = q.delivery_seq {_LAST.format(seq='d.seq')}"
    )
    for fingerprint, recipient, contract, error, cause, count, first, last in rows:
        bound = {**values, "each": fingerprint, "r": recipient, "c": contract, "e": error, "k": cause}
        samples = connection.execute(newest, bound).fetchall()
        text = normalised(samples[0][1] or "")
        ids = tuple(id_ for id_, _ in samples)
        yield Group(fingerprint, "dead", recipient, contract, error, cause or None, text, count, first, last, ids)


#: Everything that is stuck or held: ``error`` is NULL where the last attempt says what it is.
_STUCK_ROWS: Final = f"""
WITH stuck (seq, recipient, contract, error, is_pulled, is_tried, outcome, status, detail, at) AS (
  SELECT d.seq, d.recipient, d.contract, NULL, d.patience IS NULL, d.attempts > d.spent, a.outcome, a.status, a.detail,
         coalesce(a.ended_at, m.accepted_at)
    FROM deliveries d INDEXED BY deliveries_queued CROSS JOIN messages m ON m.seq = d.message_seq
    {_LAST.format(seq="d.seq")}
    WHERE d.state = 'queued' AND (d.attempts - d.spent >= :attempts
      OR coalesce(d.deadline - d.patience, max(m.accepted_at, coalesce(d.notbefore, 0))) <= :old)
  UNION ALL
  SELECT d.seq, d.recipient, d.contract, 'leased-long', 0, 0, NULL, NULL, NULL, d.lease_until
    FROM deliveries d INDEXED BY deliveries_leased WHERE d.state = 'leased' AND d.lease_until <= :lapsed
  UNION ALL
  SELECT d.seq, d.recipient, d.contract, 'held', 0, 0, NULL, NULL, NULL, m.accepted_at
    FROM deliveries d CROSS JOIN messages m ON m.seq = d.message_seq WHERE d.state = 'held' AND d.{STUCK}
  UNION ALL
  SELECT d.seq, d.recipient, d.contract, 'behind-' || h.state, 0, 0, NULL, NULL, NULL, m.accepted_at
    FROM deliveries d CROSS JOIN messages m ON m.seq = d.message_seq CROSS JOIN deliveries h ON h.seq = (
      SELECT min(seq) FROM deliveries WHERE lane IS NOT NULL AND lane = d.lane AND {OPEN})
    WHERE d.state = 'blocked' AND d.{STUCK} AND h.state IN ('dead', 'held')
)
"""


def _thresholds(now: float) -> dict[str, Any]:
    return {"attempts": STUCK_ATTEMPTS, "old": now - STUCK_AFTER, "lapsed": now - STUCK_LEASE}


def _stuck_groups(connection: sqlite3.Connection, sought: Sought, now: float) -> list[Group]:
    condition, values = _conditions(sought, _STUCK_NAMES)
    rows = connection.execute(
        f"{_STUCK_ROWS} SELECT recipient, contract, error, is_pulled, is_tried, outcome, status, detail,"
        f" count(*), min(at), max(at), min(seq), max(seq) FROM stuck WHERE {condition}"
        " GROUP BY recipient, contract, error, is_pulled, is_tried, outcome, status, detail",
        {**values, **_thresholds(now)},
    )
    found: list[Group] = []
    for *what, count, first, last, oldest, newest in rows.fetchall():
        known = understood(what)
        if not is_meant(sought, known):
            continue
        ends = connection.execute("SELECT id FROM deliveries WHERE seq IN (?, ?) ORDER BY seq DESC", (oldest, newest))
        samples = tuple(id_ for (id_,) in ends)
        group = Group(
            known.fingerprint, kind_of(known.error), what[0], what[1], known.error, None, known.text,
            count, first, last, samples,
        )  # fmt: skip
        found.append(group)
    return merged(found)


def stuck(connection: sqlite3.Connection, sought: Sought, now: float) -> list[int]:
    """The places (``seq``) of what is stuck or held and meant, in order of acceptance."""
    return [row[8] for row, _ in _stuck_meant(connection, sought, now, 0)]


def _stuck_meant(
    connection: sqlite3.Connection, sought: Sought, now: float, seen: int
) -> Iterator[tuple[Any, Diagnosis]]:
    condition, values = _conditions(sought, _STUCK_NAMES)
    rows = connection.execute(
        f"{_STUCK_ROWS} SELECT recipient, contract, error, is_pulled, is_tried, outcome, status, detail, seq, at"
        f" FROM stuck WHERE {condition} AND seq > :seen ORDER BY seq",
        {**values, **_thresholds(now), "seen": seen},
    )
    for row in rows:
        found = understood(list(row[:8]))
        if is_meant(sought, found):
            yield row, found


# ---------------------------------------------------------------------------------------------------------- members

_TOLD: Final = "d.seq, d.id, m.id, m.source, d.recipient, d.contract, d.state, d.cause, d.attempts"
_TRIED: Final = "a.outcome, a.status, a.detail"


def members(connection: sqlite3.Connection, sought: Sought, now: float, after: str | None, limit: int) -> list[Failed]:
    """Deliveries of groups, in order of acceptance."""
    seen = 0
    if after is not None:
        row = connection.execute("SELECT seq FROM deliveries WHERE id = ?", (after,)).fetchone()
        seen = 0 if row is None else row[0]
    found = [*_dead_members(connection, sought, seen, limit), *_stuck_members(connection, sought, now, seen, limit)]
    found.sort(key=lambda one: one[0])
    return [member for _, member in found[:limit]]


def _dead_members(
    connection: sqlite3.Connection, sought: Sought, seen: int, limit: int
) -> Iterator[tuple[int, Failed]]:
    meant, values = dead(sought)
    rows = connection.execute(
        f"SELECT {_TOLD}, q.error, q.fingerprint, q.failed_at, {_TRIED} FROM (SELECT f.delivery_seq, f.error,"
        f" f.fingerprint, f.failed_at {meant} AND f.delivery_seq > :seen ORDER BY f.delivery_seq LIMIT :limit) q"
        " CROSS JOIN deliveries d ON d.seq = q.delivery_seq CROSS JOIN messages m ON m.seq = d.message_seq"
        f" {_LAST.format(seq='d.seq')}",
        {**values, "seen": seen, "limit": limit},
    )
    for row in rows:
        yield row[0], failed(row[1:9], error=row[9], fingerprint=row[10], at=row[11], tried=row[12:])


def _stuck_members(
    connection: sqlite3.Connection, sought: Sought, now: float, seen: int, limit: int
) -> Iterator[tuple[int, Failed]]:
    for row, found in list(islice(_stuck_meant(connection, sought, now, seen), limit)):
        told = connection.execute(
            f"SELECT {_TOLD}, {_TRIED} FROM deliveries d CROSS JOIN messages m ON m.seq = d.message_seq"
            f" {_LAST.format(seq='d.seq')} WHERE d.seq = ?",
            (row[8],),
        ).fetchone()
        yield row[8], failed(told[1:9], error=found.error, fingerprint=found.fingerprint, at=row[9], tried=told[9:])


# ---------------------------------------------------------------------------------------------------------- backlog

_BACKLOG: Final = f"""
SELECT recipient, 'queued', count(*) FROM deliveries WHERE state = 'queued' GROUP BY recipient
UNION ALL
SELECT recipient, 'leased', count(*) FROM deliveries WHERE state = 'leased' GROUP BY recipient
UNION ALL
SELECT recipient, state, count(*) FROM deliveries
  WHERE state IN ('held', 'blocked', 'dead') AND {STUCK} GROUP BY state, recipient
"""


def backlog(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Recipient -> state -> how many."""
    found: dict[str, dict[str, int]] = {}
    for recipient, state, count in connection.execute(_BACKLOG):
        found.setdefault(recipient, {})[state] = count
    return found
