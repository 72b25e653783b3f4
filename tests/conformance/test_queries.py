"""The promises of ``ports.queries.QueryLog``: one suite, inherited by every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ports import AuditRow, Ledger
from gateway.ports.queries import Asking, Logged, QueryLog
from gateway.store.memory import MemoryLedger
from gateway.store.memory_queries import MemoryQueryLog
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.queries import query_log_of as postgres_log
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.queries import query_log_of as sqlite_log
from tests.build import MORNING, SENDER, a_digest

Both = tuple[Ledger, QueryLog]


def asking(number: int = 1, **override: object) -> Asking:
    made = Asking(
        f"0193c0de-0000-7000-8000-{number:012d}", SENDER, "citizen.lookup", "1.0", "G01/population", "giai-quyet-tthc",
        MORNING + number, f"sha-256:{a_digest(str(number))}", a_digest("a person"), "canbo.mau",
        "H33.01-261123-0001", ("DC-2026", "DC-2027"),
    )  # fmt: skip
    return replace(made, **override)  # type: ignore[arg-type]


def row(event: str = "query.answered") -> AuditRow:
    return AuditRow(MORNING + 9, SENDER, event, {"id": asking().key})


class QueryLogSuite:
    """Every promise; a backend adds how to make both, in an empty folder or database."""

    def new(self, folder: Path) -> Both:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def both(self, tmp_path: Path) -> AsyncIterator[Both]:
        made = self.new(tmp_path)
        await made[0].open()
        yield made
        await made[0].close()

    async def test_a_query_is_told_as_it_was_asked_with_what_came_of_it(self, both: Both) -> None:
        _, log = both
        assert await log.begin(asking(), until=MORNING + 20)
        assert list(await log.logged()) == [Logged(asking(), "asked")]
        await log.end(asking().key, "answered", at=MORNING + 9.5, answer=f"sha-256:{a_digest('b')}", audit=row())
        assert list(await log.logged()) == [
            Logged(asking(), "answered", MORNING + 9.5, f"sha-256:{a_digest('b')}")
        ]  # fmt: skip

    async def test_an_id_that_was_answered_is_taken_for_ever(self, both: Both) -> None:
        _, log = both
        for number, outcome in enumerate(("answered", "empty"), start=1):
            one = asking(number)
            await log.begin(one, until=MORNING + 20)
            await log.end(one.key, outcome, at=MORNING + 9, answer=None, audit=row())  # type: ignore[arg-type]
            assert await log.is_taken(one.key, MORNING + 10**9)
            assert not await log.begin(replace(one, asked_at=MORNING + 10**9), until=MORNING + 2 * 10**9)

    async def test_an_id_whose_provider_did_not_answer_may_be_asked_again_at_once(self, both: Both) -> None:
        _, log = both
        await log.begin(asking(), until=MORNING + 20)
        await log.end(asking().key, "failed", at=MORNING + 9, answer=None, audit=row("query.failed"))
        assert not await log.is_taken(asking().key, MORNING + 10)
        again = asking(digest=f"sha-256:{a_digest('again')}", asked_at=MORNING + 10)
        assert await log.begin(again, until=MORNING + 30)
        assert list(await log.logged()) == [Logged(again, "asked")]

    async def test_an_id_that_somebody_else_used_is_taken_whatever_came_of_it(self, both: Both) -> None:
        """Else who knows another's id would wipe out in the log that it was ever used."""
        _, log = both
        await log.begin(asking(), until=MORNING + 20)
        late = MORNING + 10**6
        assert await log.is_taken(asking().key, late, "H33.16/dms")
        assert not await log.begin(asking(source="H33.16/dms", asked_at=late), until=late + 20)
        await log.end(asking().key, "failed", at=MORNING + 9, answer=None, audit=row("query.failed"))
        assert not await log.begin(asking(source="H33.16/dms", asked_at=late), until=late + 20)
        assert await log.is_taken(asking().key, late, "H33.16/dms")
        assert not await log.is_taken(asking().key, late, SENDER)
        assert [each.asking.source for each in await log.logged()] == [SENDER]
        assert await log.begin(asking(asked_at=late), until=late + 20)

    async def test_one_that_is_being_asked_is_taken_until_its_time_is_over(self, both: Both) -> None:
        _, log = both
        await log.begin(asking(), until=MORNING + 20)
        assert await log.is_taken(asking().key, MORNING + 19)
        assert not await log.begin(asking(asked_at=MORNING + 19), until=MORNING + 40)
        assert not await log.is_taken(asking().key, MORNING + 21)
        assert await log.begin(asking(asked_at=MORNING + 21), until=MORNING + 40)

    async def test_of_many_that_ask_the_same_at_once_one_may(self, both: Both) -> None:
        _, log = both
        said = await asyncio.gather(*(log.begin(asking(), until=MORNING + 20) for _ in range(8)))
        assert sorted(said) == [False] * 7 + [True]

    async def test_an_unknown_id_is_free(self, both: Both) -> None:
        assert not await both[1].is_taken(asking().key, MORNING)

    async def test_the_end_is_in_the_journal_with_it(self, both: Both) -> None:
        ledger, log = both
        await log.begin(asking(), until=MORNING + 20)
        await log.end(asking().key, "answered", at=MORNING + 9, answer=None, audit=row())
        ((_, kind, body),) = await ledger.journal()
        assert kind == "audit"
        assert b"query.answered" in body

    async def test_who_asked_is_found_by_whom_about_whom_and_when_the_youngest_first(self, both: Both) -> None:
        _, log = both
        ones = [
            asking(1), asking(2, mark=a_digest("another")), asking(3, source="H33.16/dms"),
            asking(4, provider="G02/insurance"), asking(5),
        ]  # fmt: skip
        for one in ones:
            await log.begin(one, until=MORNING + 20)

        async def found(**asked: object) -> list[int]:
            return [ones.index(each.asking) + 1 for each in await log.logged(**asked)]  # type: ignore[arg-type]

        assert await found() == [5, 4, 3, 2, 1]
        assert await found(mark=a_digest("a person")) == [5, 4, 3, 1]
        assert await found(source="H33.16/dms") == [3]
        assert await found(provider="G02/insurance", mark=a_digest("a person")) == [4]
        assert await found(since=MORNING + 2, until=MORNING + 4) == [3, 2]
        assert await found(limit=2) == [5, 4]
        assert await found(before=(MORNING + 4, ones[3].key)) == [3, 2, 1]


class TestMemoryQueryLog(QueryLogSuite):
    def new(self, folder: Path) -> Both:
        ledger = MemoryLedger()
        return ledger, MemoryQueryLog(ledger)


class TestSqliteQueryLog(QueryLogSuite):
    def new(self, folder: Path) -> Both:
        ledger = SqliteLedger(folder / "ledger.db")
        return ledger, sqlite_log(ledger)


class TestPostgresQueryLog(QueryLogSuite):
    @pytest.fixture
    async def both(self, postgres_url: str) -> AsyncIterator[Both]:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        yield ledger, postgres_log(ledger)
        await ledger.close()
