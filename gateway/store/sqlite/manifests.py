"""Daily manifests in the tables of a single node."""

# ruff: noqa: D102, S608 - ports.manifests says what each method promises; every value of a statement is bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, TypeVar

from gateway.core.delivery import Delivery
from gateway.core.reconciliation import Direction, Gap, Kind, Line, Section, Side, Summary
from gateway.ports import AuditRow, Ledger
from gateway.ports.manifests import Day, Page, Reaction, States, Wait
from gateway.store import manifest_rows as rows
from gateway.store.manifest_rows import Asked, Written
from gateway.store.sqlite import recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.rows import INSERT_DELIVERY, fixed, insert, moving
from gateway.store.sqlite.writer import one_by_one

_Found = TypeVar("_Found")
#: Rows come in order of acceptance, and clocks of one machine do not go back by more than this (seconds).
_DISORDER: Final = 3600.0


class SqliteManifests:
    """Keeps every promise of ``ports.manifests.Manifests`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def passed(self, direction: Direction, since: float, until: float, *, after: Any, limit: int) -> Page:
        return await self._ledger.read(
            partial(_passed, direction=direction, since=since, until=until, after=after, limit=limit)
        )

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
        return await self._ledger.write(_WRITE, rows.close(now))

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
        return await self._ledger.read(lambda connection: [make(row) for row in connection.execute(*asked)])


def manifests_of(ledger: Ledger) -> SqliteManifests:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteManifests(ledger)


# ----------------------------------------------------------------------------------------------------- what passed

_SAID: Final = " LEFT JOIN documents w ON w.message_seq = m.seq LEFT JOIN dossier_lines l ON l.message_seq = m.seq"
_ABOUT: Final = "coalesce(w.key, l.code, m.subject), coalesce(l.parent, ''), coalesce(w.code, '')"
_SENT: Final = (
    f"SELECT m.seq, m.source, m.type, m.key, m.digest, m.accepted_at, '', 0, {_ABOUT} FROM messages m{_SAID}"
    " WHERE m.seq > ? AND m.seq < ? AND m.accepted_at >= ? AND m.accepted_at < ? AND m.digest <> ''"
    " ORDER BY m.seq LIMIT ?"
)
_RECEIVED: Final = (
    "SELECT a.seq, d.recipient, m.type, m.key, m.digest, a.ended_at, d.id,"
    f" EXISTS (SELECT 1 FROM proofs p WHERE p.delivery_seq = d.seq), {_ABOUT} FROM attempts a"
    f" CROSS JOIN deliveries d ON d.seq = a.delivery_seq CROSS JOIN messages m ON m.seq = d.message_seq{_SAID}"
    " WHERE a.seq > ? AND a.seq < ? AND a.ended_at >= ? AND a.ended_at < ? AND a.outcome = 'taken'"
    " ORDER BY a.seq LIMIT ?"
)


def _passed(
    connection: sqlite3.Connection, direction: Direction, since: float, until: float, *, after: Any, limit: int
) -> Page:
    table, moment = ("messages", "accepted_at") if direction == "sent" else ("attempts", "ended_at")
    if after is None:
        first = _first(connection, table, moment, since - _DISORDER)
        after = (first - 1, _first(connection, table, moment, until + _DISORDER))
    asked = _SENT if direction == "sent" else _RECEIVED
    found = connection.execute(asked, (*after, since, until, limit)).fetchall()
    following = (found[-1][0], after[1]) if len(found) == limit else None
    return Page([rows.passed_of(row[1:]) for row in found], following)


def _first(connection: sqlite3.Connection, table: str, moment: str, at: float) -> int:
    """The number from which on rows are not earlier than ``at``, as they come in order of time: found by halving."""
    low, high = 0, 1 + (connection.execute(f"SELECT max(seq) FROM {table}").fetchone()[0] or 0)
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            f"SELECT seq, {moment} FROM {table} WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    return low


# ----------------------------------------------------------------------------------------------------------- writing


def _run(connection: sqlite3.Connection, written: Sequence[Written]) -> int:
    changed = 0
    for statement, values in written:
        if values:
            changed += connection.executemany(statement, values).rowcount
    return changed


_WRITE: Final = one_by_one(_run)


def _settle(
    connection: sqlite3.Connection,
    asked: tuple[Section, Sequence[Kind], Sequence[Gap], float, AuditRow | None],
) -> list[Gap]:
    section, kinds, gaps, now, audit = asked
    held = {rows.gap_key(gap): gap for gap in map(rows.gap_of, connection.execute(*rows.open_of(section, kinds)))}
    found = {rows.gap_key(gap): gap for gap in gaps}
    new = [gap for key, gap in found.items() if key not in held]
    over = [gap for key, gap in held.items() if key not in found]
    _run(connection, [rows.put_gaps(new), rows.end_gaps(over, now)])
    if new and audit is not None:
        recording.audit(connection, [audit])
    return new


_SETTLE: Final = one_by_one(_settle)


def _note(connection: sqlite3.Connection, asked: tuple[Sequence[Gap], AuditRow]) -> list[Gap]:
    gaps, audit = asked
    statement, values = rows.add_gaps(gaps)
    new = [gap for gap, row in zip(gaps, values, strict=True) if connection.execute(statement, row).rowcount == 1]
    _run(connection, [rows.told(gaps)])
    if new:
        recording.audit(connection, [audit])
    return new


_NOTE: Final = one_by_one(_note)


def _repeat(connection: sqlite3.Connection, deliveries: Sequence[Delivery]) -> int:
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM deliveries").fetchone()
    made: list[tuple[Any, ...]] = []
    for delivery in {each.id: each for each in deliveries}.values():
        row = connection.execute(
            "SELECT seq FROM messages m WHERE m.key = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE id = ?2)",
            (delivery.message, delivery.id),
        ).fetchone()
        if row is not None:
            made.append((last + len(made) + 1, delivery.id, row[0], *fixed(delivery), *moving(delivery)))
    insert(connection, INSERT_DELIVERY, made)
    return len(made)


_REPEAT: Final = one_by_one(_repeat)


def _retire(connection: sqlite3.Connection, asked: tuple[date, int]) -> int:
    ids, *rest = rows.retire(*asked)
    gone = _run(connection, [ids])
    if gone < asked[1]:
        _run(connection, rest)
    return gone


_RETIRE: Final = one_by_one(_retire)
