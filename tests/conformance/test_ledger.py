"""The promises of ``ports.Ledger``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ports import Ledger
from gateway.store.memory import MemoryLedger
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.ledger import SqliteLedger
from tests.conformance.ledger_accepting import Accepting, Files, Keeping
from tests.conformance.ledger_lanes import Lanes
from tests.conformance.ledger_office import Office
from tests.conformance.ledger_outages import Outages
from tests.conformance.ledger_steps import Holds, Leases, Looking, Steps
from tests.emptied import emptied
from tests.servers.sharing import within


class LedgerSuite(Accepting, Files, Keeping, Lanes, Leases, Steps, Holds, Looking, Outages, Office):
    """Every promise; a backend adds how to make its ledger in an empty folder."""

    def new_ledger(self, folder: Path) -> Ledger:
        raise LookupError("the test class of a backend makes the ledger")

    @pytest.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[Ledger]:
        ledger = self.new_ledger(tmp_path)
        await ledger.open()
        yield ledger
        await ledger.close()


class TestMemoryLedger(LedgerSuite):
    def new_ledger(self, folder: Path) -> Ledger:
        return MemoryLedger()


class TestSqliteLedger(LedgerSuite):
    def new_ledger(self, folder: Path) -> Ledger:
        return SqliteLedger(folder / "ledger.db")


class TestPostgresLedger(LedgerSuite):
    @pytest.fixture
    async def ledger(self, postgres_suite_url: str) -> AsyncIterator[Ledger]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield ledger
        await ledger.close()


class TestPostgresLedgerBehindPgBouncer(LedgerSuite):
    """Where each transaction gets another connection."""

    @pytest.fixture
    async def ledger(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Ledger]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield ledger
        await ledger.close()
