"""The shape of the cluster's database: made once by whoever comes first, and kept by month."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.delivery import Delivered
from gateway.core.faults import Misconfigured
from gateway.ports import Accepted, Change
from gateway.store.postgres import connection as connections
from gateway.store.postgres import migrations, partitions
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.writer import one_by_one
from tests.build import RECIPIENT, a_message, an_attempt
from tests.conformance.ledger_tale import NOW, keep, lease
from tests.servers import databases
from tests.servers.sharing import within

BY_MONTH = {"messages", "bodies", "ended", "attempts", "proofs", "derived"}


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    """The address of a database with nothing in it."""
    name = f"lgsp_test_empty_{secrets.token_hex(6)}"
    databases.make(postgres_server, name)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


@pytest.fixture
async def ledger(postgres_url: str) -> AsyncIterator[PostgresLedger]:
    ledger = PostgresLedger(postgres_url)
    await ledger.open()
    yield ledger
    await ledger.close()


async def run(ledger: PostgresLedger, query: str, *values: object) -> list[Any]:
    """The rows of a statement, in a transaction of its own."""

    async def asked(connection: Connection, _: None) -> list[Any]:
        return [tuple(row) for row in await connection.fetch(query, *values)]

    return await ledger.write(one_by_one(asked), None)


# ---------------------------------------------------------------------------------------------------------- migrations


async def test_gateways_that_start_together_on_an_empty_database_make_it_once(empty_url: str) -> None:
    ledgers = [PostgresLedger(empty_url) for _ in range(4)]

    await asyncio.gather(*(ledger.open() for ledger in ledgers))

    steps = await run(ledgers[0], "SELECT number FROM schema_versions ORDER BY number")
    assert [number for (number,) in steps] == [step.number for step in migrations.migrations()]
    await asyncio.gather(
        *(keep(ledger, a_message(number)) for number, ledger in enumerate(ledgers)),
        *(ledger.ensure_partitions() for ledger in ledgers),
    )
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_a_database_of_a_newer_program_is_left_alone(ledger: PostgresLedger) -> None:
    await run(ledger, "INSERT INTO schema_versions (number, name, sha256) VALUES (999, 'later', 'x') RETURNING 1")

    with pytest.raises(Misconfigured, match="newer program"):
        await PostgresLedger(ledger.url).open()


async def test_a_database_made_by_other_steps_is_left_alone(ledger: PostgresLedger) -> None:
    await run(ledger, "UPDATE schema_versions SET sha256 = 'other' WHERE number = 2 RETURNING 1")

    with pytest.raises(Misconfigured, match="not this program's step"):
        await PostgresLedger(ledger.url).open()


async def test_a_step_that_fails_leaves_nothing_behind(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = migrations.Migration(2, "broken", "CREATE TABLE half (n int); CREATE TABLE half (n int);", "x")
    monkeypatch.setattr("gateway.store.postgres.ledger.migrations", lambda: [migrations.migrations()[0], broken])

    with pytest.raises(Misconfigured, match="half"):
        await PostgresLedger(empty_url).open()

    monkeypatch.undo()
    ledger = PostgresLedger(empty_url)
    await ledger.open()
    assert await run(ledger, "SELECT to_regclass('half') IS NULL") == [(True,)]
    await ledger.close()


async def test_a_step_may_take_longer_than_any_other_transaction(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.postgres.connection._LIMIT", 0.5)
    monkeypatch.setitem(connections._SETTINGS, "statement_timeout", "400")
    slow = migrations.Migration(1, "slow", "SELECT pg_sleep(0.7); CREATE SEQUENCE seq;", "x")
    monkeypatch.setattr("gateway.store.postgres.ledger.migrations", lambda: [slow])
    ledger = PostgresLedger(empty_url)

    await ledger.open()

    assert await run(ledger, "SELECT name FROM schema_versions") == [("slow",)]
    await ledger.close()


def test_an_installation_that_lacks_a_step_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "002_second.sql").write_text("SELECT 1")

    with pytest.raises(Misconfigured):
        migrations.migrations(tmp_path)


# -------------------------------------------------------------------------------------------------------------- months


@pytest.mark.parametrize(
    ("moment", "name"),
    [(946684800.0, "bodies_2000_01"), (1795395600.0, "bodies_2026_11"), (1798761599.9, "bodies_2026_12"),
     (1798761600.0, "bodies_2027_01")],
)  # fmt: skip
def test_a_month_follows_from_a_moment_and_from_each_of_its_numbers(moment: float, name: str) -> None:
    month = Month.at(moment)

    assert month.name("bodies") == name
    assert {Month.of(month.first), Month.of(month.later.first - 1)} == {month}
    assert Month.of(month.later.first) == month.later != month


async def test_what_grows_for_ever_is_kept_by_month_and_ids_are_not(ledger: PostgresLedger) -> None:
    found = await ledger.read(partitions.tables)

    assert found.keys() == BY_MONTH
    ((now,),) = await run(ledger, "SELECT extract(epoch FROM clock_timestamp())::float8")
    months = [Month(Month.at(now).number + ahead) for ahead in range(partitions.AHEAD + 1)]
    assert all(names == {month.name(table) for month in months} for table, names in found.items())


async def test_partitions_are_made_ahead_while_others_work_and_numbers_move_on(ledger: PostgresLedger) -> None:
    early, late = a_message("early"), a_message("late", subject="subject early")
    await keep(ledger, early)
    (claim,) = await lease(ledger)
    ((number,),) = await run(ledger, "SELECT message_seq FROM deliveries")
    next_month = Month.of(number).later
    start = (await run(ledger, "SELECT extract(epoch FROM date_trunc('month', now()) + interval '1 month')::float8"))[
        0
    ][0]

    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.ensure_partitions(start + 60))
        for each in range(5):
            group.create_task(keep(ledger, a_message(each, to=())))
    await ledger.ensure_partitions(start + 60)

    await keep(ledger, late)
    assert await ledger.record_many(_delivered([claim]), now=NOW) == [True]
    assert await ledger.record_many(_delivered(await lease(ledger)), now=NOW) == [True]
    kept = {name: await run(ledger, f"SELECT count(*) FROM {next_month.name(name)}") for name in BY_MONTH}  # noqa: S608
    assert {name: count for name, ((count,),) in kept.items() if count} == {
        "messages": 1, "bodies": 1, "ended": 1, "attempts": 2,
    }  # fmt: skip
    furthest = Month(next_month.number + partitions.AHEAD)
    assert furthest.name("ended") in (await ledger.read(partitions.tables))["ended"]
    for message in (early, late):
        record = await ledger.find(message.key)
        assert record is not None
        assert [attempt.outcome for attempt in record.deliveries[0].attempts] == ["taken"]


async def test_numbers_never_go_back_with_a_clock(ledger: PostgresLedger) -> None:
    await ledger.ensure_partitions(1893456000.0)  # 2030
    await ledger.ensure_partitions()

    await keep(ledger, a_message(to=()))

    ((seq,),) = await run(ledger, "SELECT seq FROM messages")
    assert Month.of(seq) == Month.at(1893456000.0)


async def test_bodies_of_a_month_go_and_what_a_repeat_is_stays(ledger: PostgresLedger) -> None:
    sent = a_message()
    await keep(ledger, sent)
    assert await ledger.record_many(_delivered(await lease(ledger)), now=NOW) == [True]
    ((seq,),) = await run(ledger, "SELECT seq FROM messages")

    for table in ("bodies", "attempts"):
        await _drop(ledger, table, Month.of(seq))
    assert await ledger.envelope(sent.key) is None
    record = await ledger.find(sent.key)
    assert record is not None
    assert [(each.delivery.state, each.attempts) for each in record.deliveries] == [("delivered", ())]

    for table in ("messages", "ended"):
        await _drop(ledger, table, Month.of(seq))
    assert await ledger.find(sent.key) is None
    assert await ledger.accept_many([sent]) == [Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)]


async def test_what_has_lost_its_body_is_not_handed_over_and_keeps_nobody_from_working(ledger: PostgresLedger) -> None:
    lost, other = a_message("lost"), a_message("other", to=("H33.09/dms",))
    await keep(ledger, lost)
    ((seq,),) = await run(ledger, "SELECT seq FROM messages")
    await _drop(ledger, "bodies", Month.of(seq))
    await ledger.ensure_partitions()
    await keep(ledger, other)

    claims = await ledger.claim({RECIPIENT: 5, "H33.09/dms": 5}, owner="one", now=NOW, until=NOW + 30)

    assert [claim.envelope for claim in claims] == [other.envelope]
    assert [each.message for each in await ledger.lapse(NOW + 31) if each.recipient == RECIPIENT] == [lost.key]


async def _drop(ledger: PostgresLedger, table: str, month: Month) -> None:
    async def dropped(connection: Connection, _: None) -> None:
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {month.name(table)}")
        await connection.execute(f"DROP TABLE {month.name(table)}")

    await ledger.write(one_by_one(dropped), None)


def _delivered(claims: list[Any]) -> list[Change]:
    return [Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt()) for claim in claims]
