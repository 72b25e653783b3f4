"""A cluster's database is moved into, or left: rows of its tables as they travel, whole pages at a time."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from gateway.checkpoints import reach
from gateway.core.faults import Misconfigured, Text
from gateway.ports import AuditRow
from gateway.ports.relocation import PAGE_BYTES, PAGE_ROWS, TABLES, Origin, Reached, Row, Table
from gateway.store import moving
from gateway.store.postgres import journal, locks, partitions, recording
from gateway.store.postgres.connection import Database, as_misconfigured, place_of
from gateway.store.postgres.migrations import gone_to, migrate, migrations
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.renumbering import Calendars
from gateway.store.postgres.travelling import Travelling, put, question, tell

#: Rows that a question is answered with at a time: bodies may be large.
_AHEAD: Final = 50
#: Seconds in which the server must answer a connection.
_CONNECT: Final = 10.0
#: Every page is one transaction of bounded work; reading a table takes as long as it takes, under one lock.
_PATIENT: Final = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off"
)
#: Everything that travels lies in these; what is in none of them belongs to those that run now.
_LYING: Final = ("ids", "ended", *(table.name for table in TABLES if table.name != "meta"))


class _Tables:
    """Reads the tables of a database, on one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: Any = None
        self._calendars: Calendars | None = None

    @property
    def _connection(self) -> Any:
        if self._opened is None:
            raise ValueError("not open")
        return self._opened

    async def _connect(self) -> Any:
        """The connection, on which one thing is done at a time."""
        if self._opened is None:
            try:
                with self._failing():
                    self._opened = await asyncpg.connect(self._url, timeout=_CONNECT, statement_cache_size=0)
            except ValueError as error:  # an address that is none
                raise as_misconfigured(self._url, error) from error
        return self._opened

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What the database cannot do becomes words for the administrator."""
        try:
            yield
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise as_misconfigured(self._url, error) from error

    @contextlib.asynccontextmanager
    async def _picture(self) -> AsyncIterator[Any]:
        connection = await self._connect()
        with self._failing():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(_PATIENT)
                yield connection

    async def pages(self, table: Table, after: Row | None = None) -> AsyncGenerator[Sequence[Row], None]:
        """Rows by key."""
        travelling = Travelling(table, self._calendars)
        key = () if after is None else travelling.here(after)
        page: list[Row] = []
        size = 0
        async with self._picture() as connection:
            asked = question(table, is_behind=after is not None)
            async for record in connection.cursor(asked, *key, prefetch=_AHEAD):
                row = travelling.there(record)
                page.append(row)
                size += sum(len(value) for value in row if isinstance(value, bytes))
                if len(page) >= PAGE_ROWS or size >= PAGE_BYTES:
                    yield page
                    page, size = [], 0
            if page:
                yield page

    async def count(self, table: Table) -> int:
        """How many rows."""
        async with self._picture() as connection:
            asked = question(table, is_behind=False).partition(" ORDER BY ")[0]
            return int(await connection.fetchval(f"SELECT count(*) FROM ({asked}) q"))

    async def close(self) -> None:
        """Let go."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.terminate()


# ----------------------------------------------------------------------------------------------------------- moving in

#: The marks of a move: which ledger came here, whether it is whole and how its places became numbers; how far each
#: table is.
_MARKS: Final = """
CREATE TABLE arrival (origin text NOT NULL, mark text NOT NULL, is_whole boolean NOT NULL, calendars text NOT NULL);
CREATE TABLE arrived (name text PRIMARY KEY, key text, count bigint NOT NULL, is_whole boolean NOT NULL);
"""


class PostgresImport(_Tables):
    """Keeps every promise of ``ports.relocation.Import`` in a database that no gateway opens before it is whole."""

    async def look(self, origin: Origin) -> Mapping[str, Reached] | None:
        """What lies there."""
        try:
            async with self._picture() as connection:
                return await self._reached(connection, origin)
        finally:
            await self.close()

    async def _reached(self, connection: Any, origin: Origin) -> dict[str, Reached] | None:
        if not await _has(connection, "arrival"):
            if await _has(connection, "schema_versions") and await _holds_any(connection):
                raise moving.holds_something(place_of(self._url))
            return {}
        id_, mark, is_whole, calendars = await connection.fetchrow(
            "SELECT origin, mark, is_whole, calendars FROM arrival"
        )
        if id_ != origin.id:
            raise moving.holds_something(place_of(self._url))
        if is_whole:
            if mark != origin.mark:
                raise moving.diverged(place_of(self._url))
            return None
        if mark != origin.mark:
            return {}
        self._calendars = Calendars(calendars)
        rows = await connection.fetch("SELECT name, key, count, is_whole FROM arrived")
        return {
            name: Reached(None if key == "null" else tuple(json.loads(key)), count, whole)
            for name, key, count, whole in rows
        }

    async def begin(self, origin: Origin) -> Mapping[str, Reached]:
        """Go on with what was begun, or make the tables."""
        reached = await self.look(origin)
        if reached is None:
            raise moving.holds_something(place_of(self._url))
        if reached:
            return reached
        connection = await self._connect()
        with self._failing():
            who = await _at_work(connection) if await _has(connection, "processes") else None
        if who is not None:
            raise _in_use(self._url, who)
        await self._make_tables(origin)
        return {}

    async def _make_tables(self, origin: Origin) -> None:
        database = Database(self._url, pgbouncer=True, connections=1)
        await database.open()
        try:
            with self._failing():
                # First of all, so that no gateway takes what comes after for a ledger of its own.
                async with database.transaction(locks.SCHEMA) as connection:
                    await self._make_marks(connection, origin)
                await migrate(database, place_of(self._url), migrations(), is_arriving=True)
                async with database.transaction(locks.SCHEMA) as connection:
                    if await _holds_any(connection):  # of a ledger that has changed since
                        await connection.execute(f"TRUNCATE {', '.join(_LYING)}")
                    await connection.execute("DELETE FROM meta")  # what every new database begins with
                    await partitions.ensure(connection, await partitions.now(connection))
        finally:
            await database.close()
        self._calendars = Calendars()

    async def _make_marks(self, connection: Any, origin: Origin) -> None:
        # Looked at again, now that nobody else can come in between.
        if await self._reached(connection, origin):
            raise moving.holds_something(place_of(self._url))
        if await _has(connection, "arrival"):
            await connection.execute("DROP TABLE arrival, arrived")
        await connection.execute(_MARKS)
        await connection.execute("INSERT INTO arrival VALUES ($1, $2, false, '{}')", origin.id, origin.mark)

    async def put(self, table: Table, rows: Sequence[Row], reached: Reached) -> None:
        """One transaction."""
        connection = await self._connect()
        calendars = Calendars("{}" if self._calendars is None else str(self._calendars))
        with self._failing():
            async with connection.transaction():
                await connection.execute(_PATIENT)
                present = Month.at(await partitions.now(connection))
                before = calendars.months()
                tell(table, rows, calendars, present)
                if new := calendars.months() - before:
                    await connection.execute(locks.SCHEMA.removeprefix("; "))
                    await partitions.make(connection, [Month(number) for number in sorted(new)])
                await put(connection, table, rows, calendars)
                await connection.execute(
                    "INSERT INTO arrived VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET key = excluded.key,"
                    " count = excluded.count, is_whole = excluded.is_whole",
                    table.name, json.dumps(reached.key), reached.count, reached.is_whole,
                )  # fmt: skip
                await connection.execute("UPDATE arrival SET calendars = $1", str(calendars))
                reach("relocate.page-written")
        self._calendars = calendars

    async def finish(self, audit: AuditRow) -> None:
        """New numbers come behind those that are there; then it is a ledger like any other."""
        connection = await self._connect()
        with self._failing():
            async with connection.transaction():
                await connection.execute(_PATIENT)
                last = max(
                    [await connection.fetchval(f"SELECT coalesce(max(seq), 0) FROM {name}") for name in _NUMBERED]
                )
                await connection.execute("SELECT setval('seq', greatest(last_value, $1)) FROM seq", last)
                for name in ("replays", "backfills", "agency_proposals"):
                    await connection.execute(
                        f"SELECT setval(pg_get_serial_sequence('{name}', 'number'), max(number)) FROM {name}"
                        " HAVING max(number) IS NOT NULL"
                    )
                await recording.audit(connection, [audit])
                await connection.execute("UPDATE arrival SET is_whole = true, calendars = '{}'")
                await connection.execute("DROP TABLE arrived")
            # Rows that came in bulk are known to no statistics yet, by which questions would be planned.
            await connection.execute("ANALYZE")


_NUMBERED: Final = ("messages", "deliveries", "ended", "attempts", "journal")


#: A process that lives by its own word, or whose connection is there.
_AT_WORK: Final = """
SELECT name FROM processes WHERE until > extract(epoch FROM clock_timestamp()) UNION ALL
SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'lgsp%'
  AND pid <> pg_backend_pid() LIMIT 1
"""
#: A connection that was closed just now is still seen for a moment: so often it is looked at again, so long apart.
_LOOKS: Final = 10
_APART: Final = 0.1


async def _at_work(connection: Any) -> str | None:
    """Who works on the ledger now; None where nobody does."""
    who: str | None = None
    for _ in range(_LOOKS):
        who = await connection.fetchval(_AT_WORK)
        if who is None:
            break
        await asyncio.sleep(_APART)
    return who


def _in_use(url: str, who: str | None) -> Misconfigured:
    """``who``: the process at work, by name; None where only its lock is seen."""
    name = Text("Một kết nối khác", "Another connection") if who is None else Text(f"Trục {who}", f"The gateway {who}")
    look = Text("Tiến trình bị cắt ngang được quên sau một phút.", "One that was cut off is forgotten after a minute.")
    return moving.in_use(place_of(url), name, look)


async def _has(connection: Any, name: str) -> bool:
    return await connection.fetchval("SELECT to_regclass($1)", name) is not None


async def _holds_any(connection: Any) -> bool:
    for name in _LYING:
        if await _has(connection, name) and await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {name})"):
            return True
    return False


# ------------------------------------------------------------------------------------------------------------- leaving


class PostgresExport(_Tables):
    """Keeps every promise of ``ports.relocation.Export`` over a database.

    Processes at work say so in the database (``ports.peers``) and by the name of their connections. A lock that no
    change of any table goes beside is held from ``open`` to ``close``, so that who comes later changes nothing either.
    """

    async def open(self) -> Origin:
        """Lock every table."""
        try:
            connection = await self._connect()
            with self._failing():
                await self._check(connection)
            await self._number_leaves(connection)
            with self._failing():
                await connection.execute(f"BEGIN; {_PATIENT}")
                if not await connection.fetchval(locks.TRY_LEAVING):
                    raise moving.being_left(place_of(self._url))
                try:
                    await connection.execute(f"LOCK TABLE meta, {', '.join(_LYING)} IN SHARE MODE NOWAIT")
                except asyncpg.LockNotAvailableError:
                    raise _in_use(self._url, None) from None
                return await self._origin(connection)
        except BaseException:
            await self.close()
            raise

    async def _number_leaves(self, connection: Any) -> None:
        """Leaves travel by their numbers."""
        is_more = True
        while is_more:
            with self._failing():
                async with connection.transaction():
                    await connection.execute(locks.NUMBERING.removeprefix("; "))
                    (is_more,) = await journal.NUMBER.run(connection, [None])

    async def _check(self, connection: Any) -> None:
        if not await _has(connection, "schema_versions"):
            raise moving.nothing_there(place_of(self._url))
        rows = await connection.fetch("SELECT number, sha256 FROM schema_versions ORDER BY number")
        if [tuple(row) for row in rows] != [(step.number, step.sha256) for step in migrations()]:
            raise moving.other_step(place_of(self._url), len(rows), len(migrations()))
        if (who := await _at_work(connection)) is not None:
            raise _in_use(self._url, who)
        if await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM ids i WHERE i.target IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = i.message_seq))"
        ):
            raise moving.forgotten(place_of(self._url))

    async def _origin(self, connection: Any) -> Origin:
        born = await connection.fetchval("SELECT applied_at::text FROM schema_versions WHERE number = 1")
        oid = await connection.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
        sums = hashlib.sha256()
        for name in ("meta", *_LYING):
            asked = f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric)::text FROM {name} t"
            sums.update(repr(tuple(await connection.fetchrow(asked))).encode())
        return Origin(hashlib.sha256(f"{born} {oid}".encode()).hexdigest(), sums.hexdigest(), await gone_to(connection))

    @contextlib.asynccontextmanager
    async def _picture(self) -> AsyncIterator[Any]:
        with self._failing():
            yield self._connection

    async def leave(self, to: str, *, at: float) -> None:
        """Write where it went into the database, for whoever opens it."""
        connection = self._connection
        with self._failing():
            await connection.execute("CREATE TABLE gone (address text NOT NULL, at double precision NOT NULL)")
            await connection.execute("INSERT INTO gone VALUES ($1, $2)", to, at)
            await connection.execute("COMMIT")
