"""What is old leaves the database by month: a whole partition at once, or row by row while somebody still needs one.

A month is old when it was over so long ago; it is never the one that numbers are given out of now, so a gateway whose
clock runs ahead removes nothing that the others would keep. Nobody makes deliveries of old messages meanwhile
(``locks``), and whoever accepts and delivers does not touch what goes.
"""

# ruff: noqa: D102, S608 - ports.retention says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import asyncpg  # type: ignore[import-untyped]

from gateway.core.retention import Ages, Kept
from gateway.ports import Ledger
from gateway.ports.retention import Mark, Retired
from gateway.store.postgres import dossier_lines, locks, partitions
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.writer import one_by_one

#: How long a month waits for its turn to go, as others wait behind it (milliseconds); else it goes another time.
_TURN: Final = 200
#: Bytes of bodies that one step removes; the last one may go over it.
_MOST_BYTES: Final = 16 * 1024 * 1024


class PostgresRetention:
    """Keeps every promise of ``ports.retention.Retention`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def retire(self, ages: Ages, *, now: float, limit: int, after: Mark | None = None) -> Retired:
        return await self._ledger.write(_RETIRE, _Asked(ages, now, limit, after or (0, 0, 0)))


def retention_of(ledger: Ledger) -> PostgresRetention:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresRetention(ledger)


@dataclass(frozen=True, slots=True)
class _Asked:
    ages: Ages
    now: float
    limit: int
    after: Mark


@dataclass(frozen=True, slots=True)
class _Slice:
    """So many rows with numbers from ``first`` to below ``end``, behind ``after``."""

    first: int
    end: int
    after: int
    limit: int


#: What a slice came to: what was removed, and the last number that was looked at; None where that was all.
_Done = tuple[Retired, int | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """A table in which something grows old; ``needed`` asks whether a month of it must stay, None: it has no months."""

    kept: Kept
    table: str
    needed: str | None
    rows: Callable[[Connection, _Slice], Awaitable[_Done]]


async def _retire(connection: Connection, asked: _Asked) -> Retired:
    """One step in the place and the month that ``after`` names; its mark says where the next one begins."""
    place, month, seq = cast("tuple[int, int, int]", asked.after)
    its = _PLACES[place]
    following = (place + 1, 0, 0) if place + 1 < len(_PLACES) else None
    if (age := asked.ages.of(its.kept)) is None:
        return Retired(mark=following)
    edge = await _edge(connection, asked.now, age)
    if its.needed is None:
        found, last = await its.rows(connection, _Slice(0, edge.first, seq, asked.limit))
        return replace(found, mark=following if last is None else (place, 0, last))
    present = sorted(Month.named(name).number for name in (await partitions.tables(connection))[its.table])
    old = [number for number in present if month <= number < edge.number]
    if not old:
        return Retired(mark=following)
    oldest = Month(old[0])
    beyond = (place, oldest.later.number, 0)
    if not await connection.fetchval(f"SELECT {its.needed}", oldest.first, oldest.later.first):
        name = oldest.name(its.table)
        return Retired(months=(name,) if await _drop(connection, name) else (), mark=beyond)
    seq = seq if oldest.number == month else 0
    found, last = await its.rows(connection, _Slice(oldest.first, oldest.later.first, seq, asked.limit))
    return replace(found, mark=beyond if last is None else (place, oldest.number, last))


#: Remove what is old, from a mark on.
_RETIRE: Final = one_by_one(_retire, locks=lambda _: locks.SCHEMA + locks.RETIRING)


async def _edge(connection: Connection, now: float, age: float) -> Month:
    """The first month that is not old."""
    present = Month.of(await connection.fetchval("SELECT last_value FROM seq"))
    return Month.at(min(now, present.later.began - 1) - age)


async def _drop(connection: Connection, partition: str) -> bool:
    """Take a partition away for good; False where somebody, such as a backup, reads its table for long."""
    await connection.execute(f"SAVEPOINT before; SET LOCAL lock_timeout = {_TURN}")
    try:
        await connection.execute(f"DROP TABLE {partition}")
    except asyncpg.LockNotAvailableError:
        await connection.execute("ROLLBACK TO SAVEPOINT before")
        return False
    return True


# ----------------------------------------------------------------------------------------------- what is still needed

_OWED: Final = "outcomes o JOIN every_delivery d ON d.seq = o.delivery_seq"
#: Messages that were not received by everybody yet, or whose sender is owed an outcome.
_MESSAGES: Final = (
    "EXISTS (SELECT FROM deliveries WHERE message_seq >= $1 AND message_seq < $2)"
    f" OR EXISTS (SELECT FROM {_OWED} WHERE d.message_seq >= $1 AND d.message_seq < $2)"
)
#: Deliveries that have not ended, as they will be written here; and those that have, of such messages.
_DELIVERIES: Final = (
    "EXISTS (SELECT FROM deliveries WHERE seq >= $1 AND seq < $2) OR EXISTS ("
    "SELECT FROM (SELECT message_seq FROM deliveries WHERE message_seq < $2"
    f" UNION ALL SELECT d.message_seq FROM {_OWED}) n CROSS JOIN LATERAL"
    " (SELECT FROM ended e WHERE e.message_seq = n.message_seq AND e.seq >= $1 AND e.seq < $2 LIMIT 1) AS is_here)"
)
#: Attempts of deliveries that have not ended.
_ATTEMPTS: Final = (
    "EXISTS (SELECT FROM deliveries d CROSS JOIN LATERAL"
    " (SELECT FROM attempts a WHERE a.delivery_seq = d.seq AND a.seq >= $1 AND a.seq < $2 LIMIT 1) AS is_here"
    " WHERE d.seq < $2)"
)


async def _done(connection: Connection, messages: Iterable[int]) -> list[int]:
    """Those of the messages that nobody needs any more."""
    asked = list(set(messages))
    needed = await connection.fetch(
        "SELECT message_seq FROM deliveries WHERE message_seq = ANY($1::int8[])"
        f" UNION SELECT d.message_seq FROM {_OWED} WHERE d.message_seq = ANY($1::int8[])",
        asked,
    )
    return sorted(set(asked) - {seq for (seq,) in needed})


# -------------------------------------------------------------------------------------------------------- row by row


async def _fetch(connection: Connection, columns: str, table: str, asked: _Slice) -> list[Sequence[Any]]:
    """Rows of a slice by the first column."""
    key = columns.partition(",")[0]
    return await connection.fetch(
        f"SELECT {columns} FROM {table} WHERE {key} >= $1 AND {key} < $2 AND {key} > $3 ORDER BY {key} LIMIT $4",
        asked.first, asked.end, asked.after, asked.limit,
    )  # fmt: skip


def _last(rows: Sequence[Sequence[Any]], asked: _Slice) -> int | None:
    return int(rows[-1][0]) if len(rows) >= asked.limit else None


async def _delete(connection: Connection, table: str, key: str, numbers: Sequence[int]) -> int:
    if not numbers:
        return 0
    tag = await connection.execute(f"DELETE FROM {table} WHERE {key} = ANY($1::int8[])", list(numbers))
    return int(tag.rpartition(" ")[2])


async def _bodies(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "message_seq, length(envelope)", "bodies", asked)
    last, size = _last(rows, asked), 0
    for count, (seq, length) in enumerate(rows, 1):
        size += length
        if size >= _MOST_BYTES:
            rows, last = rows[:count], seq
            break
    done = await _done(connection, (row[0] for row in rows))
    return Retired(bodies=await _delete(connection, "bodies", "message_seq", done)), last


async def _derived(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "message_seq", "derived", asked)
    await _delete(connection, "derived", "message_seq", await _done(connection, (row[0] for row in rows)))
    return Retired(), _last(rows, asked)


async def _message_files(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "message_seq", "message_files", asked)
    await _delete(connection, "message_files", "message_seq", await _done(connection, (row[0] for row in rows)))
    return Retired(), _last(rows, asked)


async def _attempts(connection: Connection, asked: _Slice) -> _Done:
    month = f"attempts WHERE seq >= {asked.first} AND seq < {asked.end}"
    rows = await connection.fetch(
        f"SELECT delivery_seq FROM {month} AND delivery_seq > $1 ORDER BY delivery_seq LIMIT $2",
        asked.after,
        asked.limit,
    )
    tried = {row[0] for row in rows}
    opened = await connection.fetch("SELECT seq FROM deliveries WHERE seq = ANY($1::int8[])", list(tried))
    over = list(tried - {seq for (seq,) in opened})
    tag = await connection.execute(f"DELETE FROM {month} AND delivery_seq = ANY($1::int8[])", over)
    return Retired(attempts=int(tag.rpartition(" ")[2])), _last(rows, asked)


async def _documents(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "message_seq", "documents", asked)
    done = await _done(connection, (row[0] for row in rows))
    for table in ("duties", "document_changes", "documents"):
        await _delete(connection, table, "message_seq", done)
    return Retired(), _last(rows, asked)


async def _dossiers(connection: Connection, asked: _Slice) -> _Done:
    return Retired(), await dossier_lines.forget(connection, asked.after, asked.end, asked.limit)


async def _forget(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "seq", "messages", asked)
    done = await _done(connection, (row[0] for row in rows))
    return Retired(messages=await _delete(connection, "messages", "seq", done)), _last(rows, asked)


async def _ended(connection: Connection, asked: _Slice) -> _Done:
    rows = await _fetch(connection, "seq, message_seq", "ended", asked)
    done = set(await _done(connection, (row[1] for row in rows)))
    gone = [seq for seq, message in rows if message in done]
    for table, key in (("ended", "seq"), ("proofs", "delivery_seq")):
        await _delete(connection, table, key, gone)
    return Retired(), _last(rows, asked)


async def _nothing(_: Connection, __: _Slice) -> _Done:
    """Proofs go with their deliveries."""
    return Retired(), None


#: What operations remember, in the order of deliveries: of each operation so many, of these so many.
_ITEMS: Final = """
SELECT i.delivery_seq, i.operation FROM replays r CROSS JOIN LATERAL (
  SELECT operation, delivery_seq FROM replay_items WHERE operation = r.number AND delivery_seq >= $1
    AND delivery_seq < $2 AND delivery_seq > $3 ORDER BY delivery_seq LIMIT $4
) i ORDER BY i.delivery_seq LIMIT $4
"""


async def _items(connection: Connection, asked: _Slice) -> _Done:
    rows = await connection.fetch(_ITEMS, asked.first, asked.end, asked.after, asked.limit)
    there = await connection.fetch(
        "SELECT seq FROM every_delivery WHERE seq = ANY($1::int8[])", [seq for seq, _ in rows]
    )
    known = {seq for (seq,) in there}
    gone = [(operation, seq) for seq, operation in rows if seq not in known]
    await connection.execute(
        "DELETE FROM replay_items i USING unnest($1::int8[], $2::int8[]) AS g (operation, seq)"
        " WHERE i.operation = g.operation AND i.delivery_seq = g.seq",
        [operation for operation, _ in gone],
        [seq for _, seq in gone],
    )
    return Retired(), _last(rows, asked)


#: In this order: what names something goes before what it names.
_PLACES: Final = (
    _Place("data", "bodies", _MESSAGES, _bodies),
    _Place("data", "derived", _MESSAGES, _derived),
    _Place("data", "message_files", None, _message_files),
    _Place("attempts", "attempts", _ATTEMPTS, _attempts),
    _Place("metadata", "documents", None, _documents),
    _Place("metadata", "dossiers", None, _dossiers),
    _Place("metadata", "messages", _MESSAGES, _forget),
    _Place("metadata", "ended", _DELIVERIES, _ended),
    _Place("metadata", "proofs", _DELIVERIES, _nothing),
    _Place("metadata", "replay_items", None, _items),
)
