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
    @pytest.fixture(autouse=True)
    def fresh(self, postgres_url: str) -> None:
        self.url = postgres_url

    def new_ledger(self, folder: Path) -> Ledger:
        return PostgresLedger(self.url)
