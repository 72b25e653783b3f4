"""What failed, from the tables: the dead through their own index, the stuck by looking at what waits."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from gateway.core.failure import STUCK_AFTER, STUCK_ATTEMPTS, STUCK_LEASE, Diagnosis, Symptom, normalised
from gateway.ports.failures import Failed, Group, Sought
from gateway.store.failing import SAMPLES, diagnosed, failed, is_meant, kind_of, largest, merged, understood
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.rows import columns, is_uuid
from gateway.store.postgres.writer import one_by_one


class PostgresFailures:
    """Keeps every promise of ``ports.failures.Failures`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def look(self, *, limit: int = 1000) -> int:
        """Give class and fingerprint to what died."""
        return await self._ledger.write(_LOOK, limit) if await self._ledger.read(_is_any_new) else 0

    async def groups(self, sought: Sought, *, now: float, limit: int = 200) -> list[Group]:
        """Groups, the largest first."""
        return await self._ledger.read(partial(_groups, sought=sought, now=now, limit=limit))

    async def members(self, sought: Sought, *, now: float, after: str | None = None, limit: int = 100) -> list[Failed]:
        """Deliveries of groups."""
        return await self._ledger.read(partial(_members, sought=sought, now=now, after=after, limit=limit))

    async def backlog(self) -> Mapping[str, Mapping[str, int]]:
        """How much waits where."""
        return await self._ledger.read(_backlog)


#: The last attempt of a delivery ``d``, which ended in its month or later.
_LAST: Final = """LEFT JOIN LATERAL (
  SELECT outcome, status, detail, ended_at FROM attempts
    WHERE delivery_seq = d.seq AND seq >= (d.seq >> 40) << 40 ORDER BY seq DESC LIMIT 1
) a ON TRUE"""

# ---------------------------------------------------------------------------------------------- looking at the dead

#: What nobody looks at now, in an order in which lookers do not wait for one another in a circle.
_NEW: Final = f"""
SELECT f.delivery_seq, f.recipient, f.contract, f.cause, a.outcome, a.status, a.detail,
       coalesce(a.ended_at, d.deadline, d.due)
  FROM (SELECT * FROM failures WHERE fingerprint IS NULL ORDER BY delivery_seq LIMIT $1 FOR UPDATE SKIP LOCKED) f
  JOIN deliveries d ON d.seq = f.delivery_seq {_LAST}
"""
_FILL: Final = """
UPDATE failures f SET error = v.error, fingerprint = v.fingerprint, failed_at = v.at
  FROM unnest($1::int8[], $2::text[], $3::text[], $4::float8[]) AS v (seq, error, fingerprint, at)
  WHERE f.delivery_seq = v.seq
"""


async def _is_any_new(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM failures WHERE fingerprint IS NULL)"))


async def _look(connection: Connection, limit: int) -> int:
    rows = await connection.fetch(_NEW, limit)
    filled = []
    for seq, recipient, contract, cause, outcome, status, detail, at in rows:
        found = diagnosed(Symptom(recipient, contract, cause or None, outcome, status, detail))
        filled.append((seq, found.error, found.fingerprint, at))
    await connection.execute(_FILL, *columns(filled, 4))
    return len(rows)


_LOOK: Final = one_by_one(_look)

# ------------------------------------------------------------------------------------------------------- conditions


class Bound(list[Any]):
    """The values of a statement; each is named by its place."""

    def __call__(self, value: Any) -> str:
        """Bind a value; answers how the statement names it."""
        self.append(value)
        return f"${len(self)}"


def _conditions(sought: Sought, names: Mapping[str, str], bound: Bound) -> str:
    """What narrows a question, with ``names`` of the columns."""
    conditions = ["TRUE"]
    if sought.recipient is not None:
        conditions.append(f"{names['recipient']} = {bound(sought.recipient)}")
    if sought.contract is not None:
        column, value = names["contract"], f"{bound(sought.contract)}::text"
        conditions.append(f"({column} = {value} OR starts_with({column}, {value} || '/'))")
    if sought.since is not None:
        conditions.append(f"{names['at']} >= {bound(sought.since)}")
    if sought.until is not None:
        conditions.append(f"{names['at']} < {bound(sought.until)}")
    if sought.cause is not None and "error" in names:
        value = f"{bound(sought.cause)}::text"
        conditions.append(f"({names['error']} = {value} OR {names['cause']} = {value})")
    if sought.group is not None and "fingerprint" in names:
        conditions.append(f"{names['fingerprint']} = {bound(sought.group)}")
    return " AND ".join(conditions)


_DEAD_NAMES: Final = {
    "recipient": "f.recipient", "contract": "f.contract", "at": "f.failed_at", "error": "f.error", "cause": "f.cause",
    "fingerprint": "f.fingerprint",
}  # fmt: skip
_STUCK_NAMES: Final = {"recipient": "recipient", "contract": "contract", "at": "at"}


def dead(sought: Sought, bound: Bound) -> str:
    """``FROM`` and ``WHERE`` of the dead that are meant (``f``)."""
    return f"FROM failures f WHERE f.fingerprint IS NOT NULL AND {_conditions(sought, _DEAD_NAMES, bound)}"


# ----------------------------------------------------------------------------------------------------------- groups


async def _groups(connection: Connection, sought: Sought, now: float, limit: int) -> list[Group]:
    return largest([*await _dead_groups(connection, sought), *await _stuck_groups(connection, sought, now)], limit)


async def _dead_groups(connection: Connection, sought: Sought) -> list[Group]:
    found: list[Group] = []
    bound = Bound()
    rows = await connection.fetch(
        "SELECT f.fingerprint, f.recipient, f.contract, f.error, f.cause, count(*), min(f.failed_at), max(f.failed_at)"
        f" {dead(sought, bound)} GROUP BY f.fingerprint, f.recipient, f.contract, f.error, f.cause",
        *bound,
    )
    for fingerprint, recipient, contract, error, cause, count, first, last in rows:
        bound = Bound()
        meant = f"{dead(sought, bound)} AND f.fingerprint = {bound(fingerprint)}"
        samples = await connection.fetch(
            f"SELECT d.id::text, a.detail FROM (SELECT f.delivery_seq, f.failed_at {meant}"
            f" ORDER BY f.failed_at DESC, f.delivery_seq DESC LIMIT {SAMPLES}) q"
            f" JOIN deliveries d ON d.seq = q.delivery_seq {_LAST} ORDER BY q.failed_at DESC, d.seq DESC",
            *bound,
        )
        text = normalised(samples[0][1] or "") if samples else ""
        ids = tuple(id_ for id_, _ in samples)
        found.append(
            Group(fingerprint, "dead", recipient, contract, error, cause or None, text, count, first, last, ids)
        )
    return found


#: Everything that is stuck or held: ``error`` is NULL where the last attempt says what it is.
_STUCK_ROWS: Final = """
WITH stuck (seq, recipient, contract, error, is_pulled, is_tried, outcome, status, detail, at) AS (
  SELECT d.seq, d.recipient, d.contract, NULL, d.patience IS NULL, d.attempts > d.spent, a.outcome, a.status, a.detail,
         coalesce(a.ended_at, m.accepted_at, d.due)
    FROM deliveries d LEFT JOIN messages m ON m.seq = d.message_seq {last}
    WHERE d.state = 'queued' AND (d.attempts - d.spent >= {attempts}
      OR coalesce(d.deadline - d.patience, greatest(coalesce(m.accepted_at, d.due), d.notbefore)) <= {old})
  UNION ALL
  SELECT seq, recipient, contract, 'leased-long', FALSE, FALSE, NULL, NULL, NULL, lease_until
    FROM deliveries WHERE state = 'leased' AND lease_until <= {lapsed}
  UNION ALL
  SELECT d.seq, d.recipient, d.contract, 'held', FALSE, FALSE, NULL, NULL, NULL, coalesce(m.accepted_at, d.due)
    FROM deliveries d LEFT JOIN messages m ON m.seq = d.message_seq WHERE d.state = 'held'
  UNION ALL
  SELECT d.seq, d.recipient, d.contract, 'behind-' || h.state, FALSE, FALSE, NULL, NULL, NULL,
         coalesce(m.accepted_at, d.due)
    FROM deliveries d LEFT JOIN messages m ON m.seq = d.message_seq CROSS JOIN LATERAL (
      SELECT state FROM deliveries WHERE lane = d.lane ORDER BY seq LIMIT 1) h
    WHERE d.state = 'blocked' AND h.state IN ('dead', 'held')
)
"""


def _stuck_rows(now: float, bound: Bound) -> str:
    attempts, old, lapsed = bound(STUCK_ATTEMPTS), bound(now - STUCK_AFTER), bound(now - STUCK_LEASE)
    return _STUCK_ROWS.format(last=_LAST, attempts=attempts, old=old, lapsed=lapsed)


_ALIKE: Final = "recipient, contract, error, is_pulled, is_tried, outcome, status, detail"


async def _stuck_groups(connection: Connection, sought: Sought, now: float) -> list[Group]:
    bound = Bound()
    rows = await connection.fetch(
        f"{_stuck_rows(now, bound)} SELECT {_ALIKE}, count(*), min(at), max(at), min(seq), max(seq)"
        f" FROM stuck WHERE {_conditions(sought, _STUCK_NAMES, bound)} GROUP BY {_ALIKE}",
        *bound,
    )
    found: list[Group] = []
    for *what, count, first, last, oldest, newest in rows:
        known = understood(what)
        if not is_meant(sought, known):
            continue
        ends = await connection.fetch(
            "SELECT id::text FROM deliveries WHERE seq = ANY($1) ORDER BY seq DESC", [oldest, newest]
        )
        samples = tuple(id_ for (id_,) in ends)
        group = Group(
            known.fingerprint, kind_of(known.error), what[0], what[1], known.error, None, known.text,
            count, first, last, samples,
        )  # fmt: skip
        found.append(group)
    return merged(found)


async def stuck(connection: Connection, sought: Sought, now: float) -> list[int]:
    """The places (``seq``) of what is stuck or held and meant, in order of acceptance."""
    return [row[8] for row, _ in await _stuck_meant(connection, sought, now, 0)]


async def _stuck_meant(
    connection: Connection, sought: Sought, now: float, seen: int, limit: int | None = None
) -> list[tuple[Sequence[Any], Diagnosis]]:
    bound = Bound()
    rows = await connection.fetch(
        f"{_stuck_rows(now, bound)} SELECT {_ALIKE}, seq, at FROM stuck"
        f" WHERE {_conditions(sought, _STUCK_NAMES, bound)} AND seq > {bound(seen)} ORDER BY seq",
        *bound,
    )
    known = ((row, understood(row[:8])) for row in rows)
    return [(row, found) for row, found in known if is_meant(sought, found)][:limit]


# ---------------------------------------------------------------------------------------------------------- members

_TOLD: Final = "d.seq, d.id::text, i.id, d.source, d.recipient, d.contract, d.state, d.cause, d.attempts"
_TRIED: Final = "a.outcome, a.status, a.detail"


async def _members(connection: Connection, sought: Sought, now: float, after: str | None, limit: int) -> list[Failed]:
    seen = 0
    if after is not None and is_uuid(after):
        seen = await connection.fetchval("SELECT seq FROM deliveries WHERE id = $1", after) or 0
    found = [
        *await _dead_members(connection, sought, seen, limit),
        *await _stuck_members(connection, sought, now, seen, limit),
    ]
    return [member for _, member in sorted(found, key=lambda one: one[0])[:limit]]


async def _dead_members(connection: Connection, sought: Sought, seen: int, limit: int) -> Iterable[tuple[int, Failed]]:
    bound = Bound()
    rows = await connection.fetch(
        f"SELECT {_TOLD}, q.error, q.fingerprint, q.failed_at, {_TRIED} FROM (SELECT f.delivery_seq, f.error,"
        f" f.fingerprint, f.failed_at {dead(sought, bound)} AND f.delivery_seq > {bound(seen)}"
        f" ORDER BY f.delivery_seq LIMIT {bound(limit)}) q JOIN deliveries d ON d.seq = q.delivery_seq"
        f" JOIN ids i ON i.key = d.message {_LAST}",
        *bound,
    )
    return [(row[0], failed(row[1:9], error=row[9], fingerprint=row[10], at=row[11], tried=row[12:])) for row in rows]


async def _stuck_members(
    connection: Connection, sought: Sought, now: float, seen: int, limit: int
) -> Iterable[tuple[int, Failed]]:
    meant = await _stuck_meant(connection, sought, now, seen, limit)
    rows = await connection.fetch(
        f"SELECT {_TOLD}, {_TRIED} FROM deliveries d JOIN ids i ON i.key = d.message {_LAST} WHERE d.seq = ANY($1)",
        [row[8] for row, _ in meant],
    )
    told = {row[0]: row for row in rows}
    return [
        (
            row[8],
            failed(
                told[row[8]][1:9], error=found.error, fingerprint=found.fingerprint, at=row[9], tried=told[row[8]][9:]
            ),
        )
        for row, found in meant
    ]


# ---------------------------------------------------------------------------------------------------------- backlog


async def _backlog(connection: Connection) -> dict[str, dict[str, int]]:
    """Recipient -> state -> how many: all that is in the table."""
    found: dict[str, dict[str, int]] = {}
    rows = await connection.fetch("SELECT recipient, state, count(*) FROM deliveries GROUP BY recipient, state")
    for recipient, state, count in rows:
        found.setdefault(recipient, {})[state] = count
    return found
