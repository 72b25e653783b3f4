"""The promises of ``ports.peers``: one suite, inherited by every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from gateway.core.rate import Rate
from gateway.ports import Ledger
from gateway.ports.peers import Peers
from gateway.store.memory import MemoryLedger
from gateway.store.memory_peers import MemoryPeers
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.peers import PostgresPeers
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.peers import SqlitePeers
from tests.build import MORNING, SENDER

#: One a second, five at once.
RATE: Final = Rate(per_minute=60, burst=5)


class PeersSuite:
    """Every promise; a backend adds how to make both, in an empty folder or database."""

    def new(self, folder: Path) -> tuple[Ledger, Peers]:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def peers(self, tmp_path: Path) -> AsyncIterator[Peers]:
        ledger, made = self.new(tmp_path)
        await ledger.open()
        yield made
        await ledger.close()

    async def test_who_beats_is_among_the_living(self, peers: Peers) -> None:
        assert list(await peers.beat("one", now=MORNING, until=MORNING + 8)) == ["one"]

    async def test_the_oldest_is_named_first_and_stays_so_while_it_beats(self, peers: Peers) -> None:
        await peers.beat("z", now=MORNING, until=MORNING + 8)
        await peers.beat("a", now=MORNING + 1, until=MORNING + 9)
        await peers.beat("z", now=MORNING + 6, until=MORNING + 14)

        assert list(await peers.beat("a", now=MORNING + 8, until=MORNING + 16)) == ["z", "a"]

    async def test_whose_time_ran_out_is_gone_and_comes_back_as_the_youngest(self, peers: Peers) -> None:
        await peers.beat("one", now=MORNING, until=MORNING + 8)

        assert list(await peers.beat("two", now=MORNING + 8, until=MORNING + 16)) == ["two"]
        assert list(await peers.beat("one", now=MORNING + 9, until=MORNING + 17)) == ["two", "one"]

    async def test_who_leaves_is_gone_at_once(self, peers: Peers) -> None:
        await peers.beat("one", now=MORNING, until=MORNING + 8)
        await peers.leave("one")
        await peers.leave("never here")

        assert list(await peers.beat("two", now=MORNING + 1, until=MORNING + 9)) == ["two"]

    async def test_what_several_granted_of_a_pace_adds_up(self, peers: Peers) -> None:
        assert await peers.spend(SENDER, RATE, 3, now=MORNING) == MORNING + 3
        assert await peers.spend(SENDER, RATE, 2, now=MORNING) == MORNING + 5
        assert await peers.spend(SENDER, RATE, 0, now=MORNING + 1) == MORNING + 5
        assert await peers.spend(SENDER, RATE, 1, now=MORNING + 60) == MORNING + 61

    async def test_each_party_has_a_pace_of_its_own(self, peers: Peers) -> None:
        await peers.spend(SENDER, RATE, 5, now=MORNING)

        assert await peers.spend("H33.30/dms", RATE, 1, now=MORNING) == MORNING + 1

    async def test_however_many_tell_at_once_nothing_is_lost(self, peers: Peers) -> None:
        told = await asyncio.gather(*(peers.spend(SENDER, RATE, 1, now=MORNING) for _ in range(20)))

        assert sorted(told) == [MORNING + number for number in range(1, 21)]


class TestMemoryPeers(PeersSuite):
    def new(self, folder: Path) -> tuple[Ledger, Peers]:
        return MemoryLedger(), MemoryPeers()


class TestSqlitePeers(PeersSuite):
    def new(self, folder: Path) -> tuple[Ledger, Peers]:
        ledger = SqliteLedger(folder / "ledger.db")
        return ledger, SqlitePeers(ledger)

    async def test_processes_on_one_file_know_each_other_and_keep_one_pace(self, tmp_path: Path) -> None:
        ledgers = [SqliteLedger(tmp_path / "ledger.db") for _ in range(2)]
        for ledger in ledgers:
            await ledger.open()
        one, two = map(SqlitePeers, ledgers)
        await one.beat("one", now=MORNING, until=MORNING + 8)
        told = await asyncio.gather(*(each.spend(SENDER, RATE, 4, now=MORNING) for each in (one, two)))

        assert list(await two.beat("two", now=MORNING + 1, until=MORNING + 9)) == ["one", "two"]
        assert sorted(told) == [MORNING + 4, MORNING + 8]
        for ledger in ledgers:
            await ledger.close()


class TestPostgresPeers(PeersSuite):
    @pytest.fixture
    async def peers(self, postgres_url: str) -> AsyncIterator[Peers]:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        yield PostgresPeers(ledger)
        await ledger.close()
