"""Daily manifests in the tables of a cluster."""

# ruff: noqa: D102, S608 - ports.manifests says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import Any, Final, TypeVar

from gateway.core.delivery import Delivery
from gateway.core.reconciliation import Direction, Gap, Kind, Line, Section, Side, Summary
from gateway.ports import AuditRow, Ledger
from gateway.ports.manifests import Day, Page, Reaction, States, Wait
from gateway.store import manifest_rows as rows
from gateway.store.manifest_rows import Asked, Written
from gateway.store.postgres import recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.rows import FIXED, MOVING, fixed, moving
from gateway.store.postgres.writer import one_by_one

_Found = TypeVar("_Found")
#: Rows come in order of acceptance, and the clocks of several machines differ by less than this (seconds).
_DISORDER: Final = 3600.0


class PostgresManifests:
    """Keeps every promise of ``ports.manifests.Manifests`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def passed(self, direction: Direction, since: float, until: float, *, after: Any, limit: int) -> Page:
        ask = _sent if direction == "sent" else _received
        return await self._ledger.read(partial(ask, since=since, until=until, after=after, limit=limit))

    async def keep(self, side: Side, lines: Sequence[tuple[Section, Line]]) -> None:
        await self._ledger.write(_WRITE, [rows.keep(side, lines)])

    async def forget(self, section: Section, side: Side, *, start: str = "", until: str = "") -> None:
        await self._ledger.write(_WRITE, [rows.forget(section, side, start, until)])

    async def lines(
        self, section: Section, side: Side, *, start: str = "", until: str = "", after: str | None = None, limit: int
    ) -> list[Line]:
        return await self._read(rows.lines(section, side, start, until, after=after, limit=limit), rows.line_of)

    async def sections(self, day: date, side: Side) -> list[Section]:
        return await self._read(rows.sections(day, side), rows.section_of)

    async def summarise(self, summaries: Sequence[Summary]) -> None:
        await self._ledger.write(_WRITE, [rows.summarise(summaries)])

    async def summaries(self, day: date, *, system: str | None = None, side: Side | None = None) -> list[Summary]:
        return await self._read(rows.summaries(day, system, side), rows.summary_of)

    async def states(self, day: date, system: str | None = None) -> Mapping[Section, States]:
        found = await self._read(rows.states(day, system), tuple)
        return {rows.section_of(row[:4]): States(*row[4:]) for row in found}

    async def elsewhere(self, section: Section, side: Side, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for first in range(0, len(ids), rows.MOST_IDS):
            asked = rows.elsewhere(section, side, ids[first : first + rows.MOST_IDS])
            found.update(await self._read(asked, lambda row: str(row[0])))
        return found

    async def wait(self, waits: Sequence[Wait]) -> None:
        await self._ledger.write(_WRITE, [rows.wait(waits)])

    async def react(self, reactions: Sequence[Reaction]) -> None:
        await self._ledger.write(_WRITE, rows.react(reactions))

    async def overdue(self, now: float, limit: int) -> list[Wait]:
        return await self._read(rows.overdue(now, limit), rows.wait_of)

    async def days(self, limit: int = 62) -> list[Day]:
        return await self._read(rows.days(limit), rows.day_of)

    async def mark(self, day: Day) -> None:
        await self._ledger.write(_WRITE, [rows.mark(day)])

    async def settle(
        self, section: Section, kinds: Sequence[Kind], gaps: Sequence[Gap], *, now: float, audit: AuditRow | None
    ) -> list[Gap]:
        return await self._ledger.write(_SETTLE, (section, kinds, gaps, now, audit))

    async def note(self, gaps: Sequence[Gap], audit: AuditRow) -> list[Gap]:
        return await self._ledger.write(_NOTE, (gaps, audit))

    async def close(self, now: float) -> int:
        return await self._ledger.write(_CLOSE, now)

    async def gaps(
        self,
        *,
        day: date | None = None,
        system: str | None = None,
        kind: Kind | None = None,
        is_open: bool = True,
        after: tuple[Any, ...] | None = None,
        limit: int = 1000,
    ) -> list[Gap]:
        return await self._read(rows.gaps(day, system, kind, is_open=is_open, after=after, limit=limit), rows.gap_of)

    async def take_up(self, gaps: Sequence[Gap], operation: str) -> None:
        await self._ledger.write(_WRITE, [rows.take_up(gaps, operation)])

    async def repeat(self, deliveries: Sequence[Delivery]) -> int:
        return await self._ledger.write(_REPEAT, deliveries)

    async def retire(self, before: date, limit: int) -> int:
        return await self._ledger.write(_RETIRE, (before, limit))

    async def _read(self, asked: Asked, make: Callable[[Sequence[Any]], _Found]) -> list[_Found]:
        async def ask(connection: Connection) -> list[_Found]:
            statement, values = asked
            return [make(tuple(row)) for row in await connection.fetch(_numbered(statement), *values)]

        return await self._ledger.read(ask)


def manifests_of(ledger: Ledger) -> PostgresManifests:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresManifests(ledger)


@lru_cache(maxsize=256)
def _numbered(statement: str) -> str:
    """The statement with its values numbered, as this database wants them."""
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))


# ----------------------------------------------------------------------------------------------------- what passed

_SAID: Final = " LEFT JOIN documents w ON w.message_seq = m.seq LEFT JOIN dossier_lines l ON l.message_seq = m.seq"
_ABOUT: Final = "coalesce(w.key, l.code, m.subject), coalesce(l.parent, ''), coalesce(w.code, '')"
_SENT: Final = (
    f"SELECT m.seq, i.source, m.type, m.key::text, m.digest, m.accepted_at, '', 0, {_ABOUT}"
    " FROM (SELECT * FROM messages WHERE seq > $1 AND seq < $2 AND accepted_at >= $3 AND accepted_at < $4"
    f"  AND digest <> '' ORDER BY seq LIMIT $5) m JOIN ids i ON i.key = m.key{_SAID} ORDER BY m.seq"
)
#: Attempts by the moment at which they ended: the index tells their blocks, and a page is sorted in memory.
_RECEIVED: Final = (
    "WITH page AS MATERIALIZED (SELECT ended_at, delivery_seq FROM attempts WHERE ended_at >= $1 AND ended_at < $2"
    "  AND seq >= $6 AND outcome = 'taken' AND (ended_at, delivery_seq) > ($3, $4)"
    "  ORDER BY ended_at, delivery_seq LIMIT $5)"
    " SELECT a.ended_at, a.delivery_seq, d.recipient, m.type, m.key::text, m.digest, a.ended_at, d.id::text,"
    f" CASE WHEN EXISTS (SELECT FROM proofs p WHERE p.delivery_seq = d.seq) THEN 1 ELSE 0 END, {_ABOUT}"
    " FROM page a CROSS JOIN LATERAL (SELECT * FROM every_delivery e WHERE e.seq = a.delivery_seq LIMIT 1) d"
    f" JOIN messages m ON m.seq = d.message_seq{_SAID} ORDER BY a.ended_at, a.delivery_seq"
)


async def _sent(connection: Connection, since: float, until: float, *, after: Any, limit: int) -> Page:
    if after is None:
        first = await _first(connection, since - _DISORDER)
        after = (first - 1, await _first(connection, until + _DISORDER))
    found = await connection.fetch(_SENT, *after, since, until, limit)
    following = (found[-1][0], after[1]) if len(found) == limit else None
    return Page([rows.passed_of(tuple(row)[1:]) for row in found], following)


async def _received(connection: Connection, since: float, until: float, *, after: Any, limit: int) -> Page:
    # The months before need not be looked at: what ended then has numbers of then.
    month = Month.at(since - _DISORDER).first
    found = await connection.fetch(_RECEIVED, since, until, *(after or (since, 0)), limit, month)
    following = tuple(found[-1])[:2] if len(found) == limit else None
    return Page([rows.passed_of(tuple(row)[2:]) for row in found], following)


async def _first(connection: Connection, at: float) -> int:
    """The number from which on messages are not earlier than ``at``, as they come in order of time: by halving."""
    low, high = 0, 1 + (await connection.fetchval("SELECT max(seq) FROM messages") or 0)
    while low < high:
        middle = (low + high) // 2
        row = await connection.fetchrow(
            "SELECT seq, accepted_at FROM messages WHERE seq >= $1 ORDER BY seq LIMIT 1", middle
        )
        if row is None or row["accepted_at"] >= at:
            high = middle
        else:
            low = int(row["seq"]) + 1
    return low


# ----------------------------------------------------------------------------------------------------------- writing


async def _run(connection: Connection, written: Sequence[Written]) -> None:
    for statement, values in written:
        if values:
            await connection.executemany(_numbered(statement), values)


_WRITE: Final = one_by_one(_run)


async def _close(connection: Connection, now: float) -> int:
    ended = 0
    for statement, (values,) in rows.close(now):
        ended += int((await connection.execute(_numbered(statement), *values)).split()[-1])
    return ended


_CLOSE: Final = one_by_one(_close)


async def _settle(
    connection: Connection,
    asked: tuple[Section, Sequence[Kind], Sequence[Gap], float, AuditRow | None],
) -> list[Gap]:
    section, kinds, gaps, now, audit = asked
    statement, values = rows.open_of(section, kinds)
    kept = [rows.gap_of(tuple(row)) for row in await connection.fetch(_numbered(statement), *values)]
    held = {rows.gap_key(gap): gap for gap in kept}
    found = {rows.gap_key(gap): gap for gap in gaps}
    new = [gap for key, gap in found.items() if key not in held]
    over = [gap for key, gap in held.items() if key not in found]
    await _run(connection, [rows.put_gaps(new), rows.end_gaps(over, now)])
    if new and audit is not None:
        await recording.audit(connection, [audit])
    return new


_SETTLE: Final = one_by_one(_settle)


async def _note(connection: Connection, asked: tuple[Sequence[Gap], AuditRow]) -> list[Gap]:
    gaps, audit = asked
    statement, values = rows.add_gaps(gaps)
    new = [
        gap
        for gap, row in zip(gaps, values, strict=True)
        if await connection.execute(_numbered(statement), *row) == "INSERT 0 1"
    ]
    await _run(connection, [rows.told(gaps)])
    if new:
        await recording.audit(connection, [audit])
    return new


_NOTE: Final = one_by_one(_note)

_COLUMNS: Final = (*FIXED, *MOVING)
_SECOND: Final = (
    f"INSERT INTO deliveries (seq, message_seq, {', '.join(_COLUMNS)})"
    f" SELECT nextval('seq'), i.message_seq, {', '.join(f'${n}' for n in range(1, len(_COLUMNS) + 1))}"
    f" FROM ids i WHERE i.key = ${list(_COLUMNS).index('message') + 1} AND i.target IS NULL"
    f" AND NOT EXISTS (SELECT FROM every_delivery e WHERE e.id = ${list(_COLUMNS).index('id') + 1})"
)


async def _repeat(connection: Connection, deliveries: Sequence[Delivery]) -> int:
    made = 0
    for delivery in {each.id: each for each in deliveries}.values():
        made += await connection.execute(_SECOND, *fixed(delivery), *moving(delivery)) == "INSERT 0 1"
    return made


_REPEAT: Final = one_by_one(_repeat)


async def _retire(connection: Connection, asked: tuple[date, int]) -> int:
    (statement, (values,)), *rest = rows.retire(*asked)
    gone = int((await connection.execute(_numbered(statement), *values)).split()[-1])
    if gone < asked[1]:
        await _run(connection, rest)
    return gone


_RETIRE: Final = one_by_one(_retire)
