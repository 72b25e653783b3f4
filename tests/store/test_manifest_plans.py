"""A day of manifests costs as much as passed on that day, however much is stored: ranges and pages."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.calendar import Calendar
from gateway.core.moments import day_of
from gateway.core.reconciliation import Section, bounds_of
from gateway.relay.gather import PAGE, Gather
from gateway.store import manifest_rows as rows
from gateway.store.sqlite import manifests
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.manifests import SqliteManifests
from gateway.store.sqlite.migrations import migrate, migrations
from tests.build import MORNING
from tests.town import CATALOG, a_town

DAY = day_of(MORNING)
SECTION = Section(DAY, "H33.16/dms", "received", "document.issued")
#: A day of so many messages, between two days of a tenth of it.
MANY = 100_000
LARGE = ("messages", "attempts", "deliveries", "m", "a", "d", "manifest_ids", "manifest_waits", "i", "w", "l", "p")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        yield connection


ASKED = [
    manifests._SENT,
    manifests._RECEIVED,
    rows.lines(SECTION, "bus", "a", "b", after="a", limit=1)[0],
    rows.elsewhere(SECTION, "bus", ["a", "b"])[0],
    rows.summaries(DAY, None, None)[0],
    rows.states(DAY, None)[0],
    rows.overdue(MORNING, 1)[0],
    rows.forget(SECTION, "bus", "", "")[0],
    *(statement for statement, _ in rows.react([])),
]


@pytest.mark.parametrize("statement", ASKED)
def test_nothing_that_grows_is_read_from_end_to_end(connection: sqlite3.Connection, statement: str) -> None:
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
    told = [row[3] for row in plan]
    assert not [line for line in told if line.startswith("SCAN ") and line.split()[1] in LARGE], told


def fill(path: Path) -> None:
    """Three days of messages, each handed over at once; the middle one is the large one."""
    start, _ = bounds_of(DAY)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        seq = 0
        for day, many in ((-1, MANY // 10), (0, MANY), (1, MANY // 10)):
            for first in range(0, many, 10_000):
                numbers = range(first, min(first + 10_000, many))
                at = {seq + n - first + 1: start + day * 86400 + n * 86000 / many for n in numbers}
                connection.executemany(
                    "INSERT INTO messages VALUES (?, ?, ?, 'H33.05/dms', 'document.issued', '1.0', 's', ?, 'd', 'r',"
                    " '[]', '')",
                    [(n, f"0193c0de-0000-7000-8000-{n:012d}", str(n), moment) for n, moment in at.items()],
                )
                connection.executemany(
                    "INSERT INTO deliveries (seq, id, message_seq, recipient, contract, priority, state, due, attempts,"
                    " spent, replays, owes_outcome) VALUES (?, ?, ?, 'H33.16/dms', 'document.issued', 0, 'delivered',"
                    " 0, 1, 0, 0, 0)",
                    [(n, f"d{n}", n) for n in at],
                )
                connection.executemany(
                    "INSERT INTO attempts VALUES (?, ?, 1, ?, ?, 'taken', 200, NULL)",
                    [(n, n, moment, moment + 1) for n, moment in at.items()],
                )
                seq += len(at)
        connection.commit()


async def test_a_day_of_a_hundred_thousand_is_gathered_in_pages(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    fill(tmp_path / "ledger.db")
    kept = SqliteManifests(ledger)
    since, until = bounds_of(DAY)
    began = time.perf_counter()
    counts = {}
    for direction in ("sent", "received"):
        after, count, pages = None, 0, 0
        while True:
            page = await kept.passed(direction, since, until, after=after, limit=PAGE)
            assert len(page.passed) <= PAGE
            count, pages = count + len(page.passed), pages + 1
            if page.next is None:
                break
            after = page.next
        counts[direction] = count
        assert pages <= MANY // PAGE + 1
    assert counts == {"sent": MANY, "received": MANY}
    assert time.perf_counter() - began < 60
    await ledger.close()


async def test_a_day_is_gathered_whole_whatever_lies_around_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    town = a_town(ledger=ledger)
    await ledger.open()
    kept = SqliteManifests(ledger)
    start, end = bounds_of(DAY)
    for at in (start - 5, start + 5, end - 5, end + 5):
        town.clock.moment = at
        await town.sent(subject=str(at))
        await town.work()
    gather = Gather(kept, lambda: town.directory, lambda: CATALOG, Calendar, town.clock)
    town.clock.moment = end + 3600
    await gather.day(DAY)
    await gather.day(DAY)
    found = {(each.section.system, each.section.direction): each.count for each in await kept.summaries(DAY)}
    assert found["H33.05/dms", "sent"] == 2
    assert found["H33.16/dms", "received"] == 2
    assert [each.day for each in await kept.days()] == [DAY]
    assert await kept.sections(DAY + timedelta(days=1), "bus") == []
    await ledger.close()
