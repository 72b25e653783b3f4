"""What is old leaves SQLite and PostgreSQL beside all work: months go whole, rows in steps that nobody notices."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.core.delivery import Delivered, Discarded, Refused, Replayed
from gateway.core.replay import Phase, Plan
from gateway.core.retention import Ages
from gateway.ports import REFUSALS_KEPT, Change, Ledger, NewMessage
from gateway.ports.failures import Sought
from gateway.ports.replays import Operation, Replays
from gateway.ports.retention import Mark, Retention
from gateway.store.postgres import accepting as placing
from gateway.store.postgres import locks, partitions
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.replays import failures_and_replays as postgres_replays
from gateway.store.postgres.retention import PostgresRetention
from gateway.store.postgres.writer import one_by_one
from gateway.store.sqlite import accepting, recording
from gateway.store.sqlite import retention as sqlite_retention
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.migrations import migrate, migrations
from gateway.store.sqlite.replays import failures_and_replays as sqlite_replays
from gateway.store.sqlite.retention import SqliteRetention
from tests.build import a_delivery, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import NOW, at, keep, lease, step
from tests.conformance.test_retention import ALL, ATTEMPTS, DAY, LATER, again
from tests.servers.sharing import within
from tests.store.test_sqlite_plans import counting, scans, statements_of

BY_MONTH: Final = ("messages", "bodies", "ended", "attempts", "proofs", "derived")
TO: Final = "H33.09/dms"
#: How long a sender may wait for its answer while old things are removed (seconds): far above any lock that is taken,
#: far below what stops a gateway.
NOTICED: Final = 2.0


@pytest.fixture
async def cluster(postgres_url: str) -> AsyncIterator[PostgresLedger]:
    ledger = PostgresLedger(postgres_url)
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    yield ledger
    await ledger.close()


async def taken(ledger: Ledger, *messages: NewMessage) -> None:
    """Keep messages to RECIPIENT, who takes them all."""
    await keep(ledger, *messages)
    while claims := await lease(ledger, limit=100):
        changes = [Change(each.delivery, each.delivery.after(Delivered()), an_attempt()) for each in claims]
        assert all(await ledger.record_many(changes, now=NOW))


async def emptied(retention: Retention, ages: Ages = ALL, *, limit: int = 50, now: float = LATER) -> list[str]:
    """Remove everything that is old; answers the months that went whole."""
    months: list[str] = []
    found = await retention.retire(ages, now=now, limit=limit)
    months += found.months
    while found.mark is not None:
        found = await retention.retire(ages, now=now, limit=limit, after=found.mark)
        months += found.months
    return months


async def months(ledger: PostgresLedger) -> dict[str, set[str]]:
    return await ledger.read(partitions.tables)


# ------------------------------------------------------------------------------------------------- counts of refusals

REFUSALS: Final = "SELECT minute, address, count FROM refusals ORDER BY minute, address"


async def counted(ledger: Ledger) -> None:
    """Refusals of three days, then of a moment when the first two days are too old: one minute goes at each call."""
    today = int(NOW // 60)
    for address, minute in (("a", today), ("b", today), ("a", today + 1), ("a", today + 2)):
        await ledger.count_refusals({(address, minute, "bad-signature"): 3})
    await ledger.count_refusals({("a", today + 2 + REFUSALS_KEPT, "bad-signature"): 1})
    await ledger.count_refusals({})


async def counted_again(ledger: Ledger) -> None:
    await ledger.count_refusals({("a", int(NOW // 60) + 2 + REFUSALS_KEPT, "bad-signature"): 1})


async def test_sqlite_lets_go_of_refusals_minute_by_minute(file: SqliteLedger) -> None:
    today = int(NOW // 60)
    with closing(sqlite3.connect(file.path)) as reader:
        await counted(file)
        assert [row[0] - today for row in reader.execute(REFUSALS)] == [1, 2, 2 + REFUSALS_KEPT]
        await counted_again(file)
        await counted_again(file)
        kept = [("a", 2, 3), ("a", 2 + REFUSALS_KEPT, 3)]
        assert [(address, minute - today, count) for minute, address, count in reader.execute(REFUSALS)] == kept


async def test_postgresql_lets_go_of_refusals_minute_by_minute(cluster: PostgresLedger) -> None:
    today = int(NOW // 60)

    async def refusals(connection: Connection) -> list[tuple[str, int, int]]:
        return [(address, minute - today, count) for minute, address, count in await connection.fetch(REFUSALS)]

    await counted(cluster)
    assert [minute for _, minute, _ in await cluster.read(refusals)] == [1, 2, 2 + REFUSALS_KEPT]
    await counted_again(cluster)
    await counted_again(cluster)
    assert await cluster.read(refusals) == [("a", 2, 3), ("a", 2 + REFUSALS_KEPT, 3)]


# ----------------------------------------------------------------------------------------------------- beside all work


async def working(ledger: Ledger, until: asyncio.Event) -> tuple[list[NewMessage], float]:
    """Accept and deliver until told to stop; what was accepted, and the longest that one of them took."""
    sent: list[NewMessage] = []
    longest = 0.0
    while not until.is_set() or len(sent) < 20:
        begun = time.monotonic()
        message = a_message(f"meanwhile {len(sent)}", to=(TO,), accepted_at=LATER)
        await keep(ledger, message)
        for claim in await lease(ledger, TO, now=LATER):
            change = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt())
            assert await ledger.record_many([change], now=LATER) == [True]
        longest = max(longest, time.monotonic() - begun)
        sent.append(message)
    return sent, longest


async def goes_on(ledger: Ledger, retention: Retention) -> None:
    """Remove what is old while others work, some of it being kept by a dead delivery."""
    old = [a_message(number) for number in range(300)]
    await taken(ledger, *old)
    stuck = a_message("stuck")
    await keep(ledger, stuck)
    assert await step(ledger, await at(ledger, stuck), Refused())
    if isinstance(ledger, PostgresLedger):
        await ledger.ensure_partitions(LATER)

    is_done = asyncio.Event()
    work = asyncio.create_task(working(ledger, is_done))
    try:
        for _ in range(3):
            await emptied(retention)
    finally:
        is_done.set()
    sent, longest = await work

    assert longest < NOTICED
    for message in old[::30]:
        assert await ledger.find(message.key) is None
    for message in (stuck, *sent[::10]):
        assert await ledger.envelope(message.key) == message.envelope
    assert await ledger.accept_many([old[0], sent[0]]) == [again(old[0]), again(sent[0])]


async def test_a_file_is_written_as_ever_while_old_rows_go(file: SqliteLedger) -> None:
    await goes_on(file, SqliteRetention(file))


async def test_a_cluster_works_as_ever_while_old_rows_and_months_go(cluster: PostgresLedger) -> None:
    await goes_on(cluster, PostgresRetention(cluster))


async def test_behind_a_pgbouncer_too(postgres_url: str, postgres_bouncer: str) -> None:
    ledger = PostgresLedger(within(postgres_bouncer, postgres_url.rpartition("/")[2]), pgbouncer=True)
    await ledger.open()
    await goes_on(ledger, PostgresRetention(ledger))
    await ledger.close()


# ------------------------------------------------------------------------------------------------ what is read for it


def all_classes(connection: sqlite3.Connection, limit: int = 5) -> None:
    """One whole pass over a file."""
    after: Mark | None = ("data", "", 0)
    while after is not None:
        (found,) = sqlite_retention.RETIRE.run(connection, [sqlite_retention.Asked(ALL, LATER, limit, after)])
        after = found.mark


def filled(connection: sqlite3.Connection, old: int, young: int) -> None:
    """So many messages that are old, blank already, and so many that are young; five more are old and dead."""
    messages = [a_message(f"old {number}", type=f"t{number % 3}", to=()) for number in range(old)]
    accepting.ACCEPT.run(connection, [messages])
    all_classes(connection, limit=500)
    dead = [a_message(f"dead {number}") for number in range(5)]
    accepting.ACCEPT.run(connection, [dead])
    changes = [
        Change(each.deliveries[0], each.deliveries[0].after(Refused()), an_attempt(outcome="refused")) for each in dead
    ]
    recording.RECORD.run(connection, [(changes, NOW)])
    later = [a_message(f"young {number}", to=(TO,), accepted_at=LATER) for number in range(young)]
    accepting.ACCEPT.run(connection, [later])
    changes = [
        Change(of, of.after(Delivered()), an_attempt(ended_at=LATER)) for each in later for of in each.deliveries
    ]
    recording.RECORD.run(connection, [(changes, LATER)])


def test_no_step_on_a_file_reads_a_table_from_end_to_end(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        filled(connection, 5, 5)
        accepting.ACCEPT.run(connection, [[a_message("done", to=())]])
        statements = statements_of(connection, all_classes)

        assert len(statements) > 12
        assert {text: found for text in statements if (found := scans(connection, text))} == {}


def test_what_is_young_or_blank_already_costs_nothing(tmp_path: Path) -> None:
    costs = []
    for name, size in (("few.db", 10), ("many.db", 2000)):
        with closing(connect(tmp_path / name, "writer")) as connection:
            migrate(connection, tmp_path / name, migrations())
            filled(connection, size, size)
            with counting(connection) as steps:
                all_classes(connection, limit=50)
            costs.append(steps[0])

    assert costs[1] < 2 * costs[0] + 20


# -------------------------------------------------------------------------------------------------------------- months


async def test_a_month_of_which_nothing_is_needed_goes_whole(cluster: PostgresLedger) -> None:
    await taken(cluster, *(a_message(number) for number in range(3)))
    before = await months(cluster)
    await cluster.ensure_partitions(LATER)

    gone = await emptied(PostgresRetention(cluster))

    ((seq,),) = [await _first(cluster, "SELECT min(message_seq) FROM ids")]
    assert set(gone) >= {Month.of(seq).name(table) for table in BY_MONTH}
    left = await months(cluster)
    assert all(before[table] - left[table] for table in BY_MONTH)
    present = Month.at(LATER)
    assert all(present.name(table) in left[table] for table in BY_MONTH)
    assert await emptied(PostgresRetention(cluster)) == []


async def test_only_the_class_that_is_old_goes(cluster: PostgresLedger) -> None:
    await taken(cluster, a_message())
    await cluster.ensure_partitions(LATER)

    gone = await emptied(PostgresRetention(cluster), Ages(data=30 * DAY, attempts=300 * DAY, metadata=300 * DAY))
    assert {name.partition("_")[0] for name in gone} == {"bodies", "derived"}


async def test_a_month_stays_while_one_of_its_deliveries_waits_and_goes_after_it(cluster: PostgresLedger) -> None:
    stuck = a_message("stuck")
    await taken(cluster, a_message("done"))
    await keep(cluster, stuck)
    ((seq,),) = [await _first(cluster, "SELECT max(message_seq) FROM ids")]
    await cluster.ensure_partitions(LATER)

    gone = await emptied(PostgresRetention(cluster))
    assert not {Month.of(seq).name(table) for table in ("messages", "bodies", "ended")} & set(gone)
    assert await _first(cluster, "SELECT count(*) FROM bodies") == (1,)

    assert await step(cluster, await at(cluster, stuck), Delivered())
    gone = await emptied(PostgresRetention(cluster))
    assert {Month.of(seq).name(table) for table in ("messages", "bodies", "ended")} <= set(gone)


async def test_a_month_that_somebody_reads_for_long_goes_another_time_and_nobody_waits(cluster: PostgresLedger) -> None:
    await taken(cluster, a_message("old"))
    await cluster.ensure_partitions(LATER)
    backup = await asyncpg.connect(cluster.url)
    reading = backup.transaction(isolation="repeatable_read", readonly=True)
    await reading.start()
    await backup.fetchval("SELECT count(*) FROM bodies")

    begun = time.monotonic()
    gone, _ = await asyncio.gather(emptied(PostgresRetention(cluster)), keep(cluster, a_message("new")))
    assert not [name for name in gone if name.startswith("bodies")]
    assert time.monotonic() - begun < 4 * NOTICED

    await reading.rollback()
    await backup.close()
    assert [name for name in await emptied(PostgresRetention(cluster)) if name.startswith("bodies")]


async def test_a_clock_that_runs_years_ahead_removes_nothing_of_today(cluster: PostgresLedger) -> None:
    message = a_message()
    await taken(cluster, message)
    before = await months(cluster)

    assert await emptied(PostgresRetention(cluster), now=LATER + 3650 * DAY) == []
    assert await cluster.envelope(message.key) == message.envelope
    assert await months(cluster) == before


async def test_what_ends_late_finds_the_month_of_its_delivery(cluster: PostgresLedger) -> None:
    late = a_message("late")
    await keep(cluster, late)
    await cluster.ensure_partitions(LATER)
    await emptied(PostgresRetention(cluster))

    (claim,) = await lease(cluster, now=LATER)
    change = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt(), proof=b"proof")
    assert await cluster.record_many([change], now=LATER) == [True]
    record = await cluster.find(late.key)
    assert record is not None
    assert record.deliveries[0].proof == b"proof"


async def test_late_deliveries_keep_the_months_in_which_they_were_made(cluster: PostgresLedger) -> None:
    message = a_message(ordered=False)
    await taken(cluster, message)
    month_of_late = LATER - 50 * DAY
    await cluster.ensure_partitions(month_of_late)
    late = [a_delivery(recipient=each, ordered=False, accepted_at=month_of_late) for each in (TO, "H33.40/dms")]

    async def added(connection: Connection, _: None) -> None:
        seq = await connection.fetchval("SELECT message_seq FROM ids")
        await placing.add(connection, [(seq, delivery) for delivery in late], month_of_late)

    await cluster.write(one_by_one(added, locks=lambda _: locks.lanes(())), None)
    assert await step(cluster, late[0], Delivered(), now=month_of_late, attempt=an_attempt(ended_at=month_of_late))
    await cluster.ensure_partitions(LATER)

    (seq,) = await _first(cluster, "SELECT message_seq FROM ids")
    needed = {Month.of(seq).name("messages"), Month.of(seq).name("ended"), Month.at(month_of_late).name("ended")}
    assert not needed & set(await emptied(PostgresRetention(cluster)))
    record = await cluster.find(message.key)
    assert record is not None
    assert sorted(each.delivery.state.value for each in record.deliveries) == ["delivered", "delivered", "queued"]
    assert await step(cluster, late[1], Delivered(), now=LATER)
    await emptied(PostgresRetention(cluster))
    assert await cluster.find(message.key) is None
    assert await cluster.deliveries() == []


async def test_attempts_of_a_delivery_that_is_dead_stay_in_whichever_month_they_were_made(
    cluster: PostgresLedger,
) -> None:
    message = a_message()
    await keep(cluster, message)
    for number, moment in enumerate((NOW, LATER - 80 * DAY, LATER - 50 * DAY), 1):
        await cluster.ensure_partitions(moment)
        attempt = an_attempt(number, ended_at=moment, outcome="refused")
        assert await step(cluster, await at(cluster, message), Refused(), now=moment, attempt=attempt)
        assert await step(cluster, await at(cluster, message), Replayed(moment), now=moment)
    await cluster.ensure_partitions(LATER)

    await emptied(PostgresRetention(cluster), ATTEMPTS)
    record = await cluster.find(message.key)
    assert record is not None
    assert [attempt.number for attempt in record.deliveries[0].attempts] == [1, 2, 3]


@pytest.mark.parametrize(("moment", "name"), [(946684800.0, "bodies_2000_01"), (1798761599.9, "bodies_2026_12")])
def test_a_month_is_known_by_the_name_of_its_partition_and_by_its_beginning(moment: float, name: str) -> None:
    month = Month.named(name)

    assert month == Month.at(moment) == Month.at(month.began)
    assert Month.at(month.began - 1).later == month


async def _first(ledger: PostgresLedger, question: str) -> tuple[Any, ...]:
    connection = await asyncpg.connect(ledger.url)
    try:
        return tuple(await connection.fetchrow(question))
    finally:
        await connection.close()


# ---------------------------------------------------------------------------------------------------------- operations


async def operated(ledger: Ledger, replays: Replays, look: Any) -> None:
    """An operation is planned on two dead deliveries, one of which is taken out by hand."""
    messages = [a_message("one"), a_message("two")]
    await keep(ledger, *messages)
    for message in messages:
        assert await step(ledger, await at(ledger, message), Refused(), attempt=an_attempt(outcome="refused"))
    while await look():
        pass
    candidates = await replays.candidates(Sought(), None, now=NOW)
    operation = Operation("op1", "replay", Phase.PLANNED, Sought(), 0, Plan(), "thử", "operator:mau", 2, NOW)
    await replays.plan(operation, [each.place for each in candidates], an_audit_row())
    assert await step(ledger, await at(ledger, messages[0]), Discarded())


async def test_an_operation_of_a_file_does_not_wait_for_what_is_gone(file: SqliteLedger) -> None:
    failures, replays = sqlite_replays(file)
    await operated(file, replays, failures.look)

    await emptied(SqliteRetention(file))
    assert await replays.counts("op1") == {"waiting": 1}
    (turn,) = await replays.turns("op1", 10)
    assert turn.has_body


async def test_an_operation_of_a_cluster_does_not_wait_for_what_is_gone(cluster: PostgresLedger) -> None:
    failures, replays = postgres_replays(cluster)
    await operated(cluster, replays, failures.look)
    await cluster.ensure_partitions(LATER)

    await emptied(PostgresRetention(cluster))
    assert await replays.counts("op1") == {"waiting": 1}
    (turn,) = await replays.turns("op1", 10)
    assert turn.has_body
