"""Destinations on hold and how destinations are doing; the outcome messages that senders are owed."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery
from gateway.ports import AuditRow
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.recording import audit
from gateway.store.postgres.rows import DELIVERY, arrays, columns, delivery_of
from gateway.store.postgres.writer import one_by_one

_Asked = tuple[str, float, AuditRow]

# What Held and Released do (``core.delivery``), said in SQL: a queue of any length need not travel here and back.
_HELD: Final = """
UPDATE deliveries SET state = 'held', lease_owner = NULL, lease_until = NULL, deadline = NULL,
    patience_left = greatest(0, deadline - greatest($2::float8, coalesce(notbefore, 0)))
  WHERE state = 'queued' AND recipient = $1
"""
_RELEASED: Final = """
UPDATE deliveries SET state = 'queued', lease_owner = NULL, lease_until = NULL, due = v.due,
    deadline = v.due + patience_left, patience_left = NULL
  FROM (SELECT seq, greatest($2::float8, coalesce(notbefore, 0)) AS due FROM deliveries
    WHERE state = 'held' AND recipient = $1) AS v
  WHERE deliveries.seq = v.seq AND state = 'held'
"""


async def _hold(connection: Connection, asked: _Asked) -> int:
    recipient, at, row = asked
    await connection.execute("INSERT INTO holds VALUES ($1, $2) ON CONFLICT DO NOTHING", recipient, at)
    await audit(connection, [row])
    return _count(await connection.execute(_HELD, recipient, at))


async def _release(connection: Connection, asked: _Asked) -> int:
    recipient, at, row = asked
    await connection.execute("DELETE FROM holds WHERE recipient = $1", recipient)
    await audit(connection, [row])
    return _count(await connection.execute(_RELEASED, recipient, at))


def _count(tag: str) -> int:
    """How many rows, by the tag of a statement (``UPDATE 12``)."""
    return int(tag.rpartition(" ")[2])


#: Put a destination on hold, lift the hold: (recipient, moment, audit row). Nobody places a delivery meanwhile.
HOLD: Final = one_by_one(_hold, locks=lambda _: locks.ALONE)
RELEASE: Final = one_by_one(_release, locks=lambda _: locks.ALONE)


async def holds(connection: Connection) -> dict[str, float]:
    """Destinations on hold, and since when."""
    return dict(await connection.fetch("SELECT recipient, since FROM holds ORDER BY recipient"))


async def breakers(connection: Connection) -> dict[str, Breaker]:
    """Every destination that failed lately."""
    rows = await connection.fetch("SELECT recipient, failures, since, is_open, prober, width FROM breakers")
    return {name: Breaker(*kept) for name, *kept in rows}


async def _keep_breaker(connection: Connection, asked: tuple[str, Breaker]) -> None:
    recipient, kept = asked
    if kept.is_quiet:
        await connection.execute("DELETE FROM breakers WHERE recipient = $1", recipient)
        return
    await connection.execute(
        "INSERT INTO breakers VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (recipient) DO UPDATE SET"
        " failures = excluded.failures, since = excluded.since, is_open = excluded.is_open,"
        " prober = excluded.prober, width = excluded.width",
        recipient, kept.failures, kept.since, kept.is_open, kept.prober, kept.width,
    )  # fmt: skip


#: Remember how a destination is.
BREAKER: Final = one_by_one(_keep_breaker)

_OWING: Final = (
    f"SELECT {DELIVERY} FROM (SELECT delivery_seq FROM outcomes ORDER BY delivery_seq LIMIT $1) o"
    " JOIN every_delivery d ON d.seq = o.delivery_seq ORDER BY d.seq"
)


async def owing(connection: Connection, limit: int) -> list[Delivery]:
    """Deliveries that owe their sender an outcome message, oldest first."""
    return [delivery_of(row) for row in await connection.fetch(_OWING, limit)]


async def owed(connection: Connection, delivery: str) -> bytes | None:
    """The payload of the outcome that is owed for a delivery."""
    leaf: bytes | None = await connection.fetchval(
        "SELECT o.leaf FROM every_delivery d JOIN outcomes o ON o.delivery_seq = d.seq WHERE d.id = $1", delivery
    )
    return leaf


_STILL: Final = (
    f"FROM unnest({arrays(['uuid', 'text', 'int4'])}) AS q (id, state, replays)"
    " WHERE d.id = q.id AND d.state = q.state AND d.replays = q.replays AND d.owes_outcome RETURNING d.seq"
)
_TOLD: Final = f"""
WITH open AS (UPDATE deliveries d SET owes_outcome = false {_STILL}),
over AS (UPDATE ended d SET owes_outcome = false {_STILL})
DELETE FROM outcomes WHERE delivery_seq IN (SELECT seq FROM open UNION ALL SELECT seq FROM over)
"""


async def _told(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    rows = [(delivery.id, delivery.state.value, delivery.replays) for delivery in deliveries]
    await connection.execute(_TOLD, *columns(rows, 3))


#: Clear what was owed.
TOLD: Final = one_by_one(_told, "told")
