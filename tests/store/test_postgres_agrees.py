"""Memory and PostgreSQL live the same life: the story that memory and SQLite are told is told to them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import initialize, run_state_machine_as_test

from gateway.store.postgres.ledger import PostgresLedger
from tests.emptied import empty
from tests.store import test_ledgers_agree as story


def test_memory_and_postgres_agree(postgres_suite_url: str) -> None:
    class MemoryAndPostgres(story.TwoLedgers):
        def __init__(self) -> None:
            super().__init__()
            self.postgres = PostgresLedger(postgres_suite_url)
            self.ledgers = (self.ledgers[0], self.postgres)

        @initialize()
        def begin(self) -> None:
            super().begin()
            self.runner.run(empty(self.postgres))

    short = settings(story.TestTwoLedgers.settings, max_examples=5)
    run_state_machine_as_test(MemoryAndPostgres, settings=short)
