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
from gateway.store.postgres.rows import DELIVERY, columns, delivery_of
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

_OWING: Final = "SELECT delivery_seq FROM outcomes ORDER BY delivery_seq LIMIT $1"
_NUMBERED: Final = f"SELECT {DELIVERY} FROM every_delivery d WHERE d.seq = ANY($1::int8[]) ORDER BY d.seq"
_SEQ: Final = "SELECT seq FROM every_delivery WHERE id = $1"


async def owing(connection: Connection, limit: int) -> list[Delivery]:
    """Deliveries that owe their sender an outcome message, oldest first."""
    # Asked first by themselves: mostly there are none, and by their numbers only their months are looked into.
    seqs = [seq for (seq,) in await connection.fetch(_OWING, limit)]
    return [delivery_of(row) for row in await connection.fetch(_NUMBERED, seqs)] if seqs else []


async def owed(connection: Connection, delivery: str) -> bytes | None:
    """The payload of the outcome that is owed for a delivery."""
    seq = await connection.fetchval(_SEQ, delivery)
    leaf: bytes | None = await connection.fetchval("SELECT leaf FROM outcomes WHERE delivery_seq = $1", seq)
    return leaf


_STILL: Final = (
    "SELECT d.seq FROM {table} d JOIN unnest($1::uuid[], $2::text[], $3::int4[]) AS q (id, state, replays)"
    " ON d.id = q.id AND d.state = q.state AND d.replays = q.replays WHERE d.owes_outcome"
)


async def _told(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    rows = [(delivery.id, delivery.state.value, delivery.replays) for delivery in deliveries]
    for table in ("deliveries", "ended"):
        still = await connection.fetch(f"{_STILL.format(table=table)} FOR UPDATE OF d", *columns(rows, 3))
        if seqs := [seq for (seq,) in still]:
            await connection.execute(f"UPDATE {table} SET owes_outcome = false WHERE seq = ANY($1::int8[])", seqs)
            await connection.execute("DELETE FROM outcomes WHERE delivery_seq = ANY($1::int8[])", seqs)


#: Clear what was owed.
TOLD: Final = one_by_one(_told, "told")
