"""The ledger of a cluster: ``ports.Ledger`` over one PostgreSQL, shared by any number of gateways."""

# ruff: noqa: D102 - ports.Ledger says what each method promises

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.store.postgres import locks, partitions
from gateway.store.postgres.connection import Connection, Database, as_busy, as_misconfigured, is_passing, place_of
from gateway.store.postgres.migrations import migrate, migrations
from gateway.store.postgres.writer import Step, Writer

P = TypeVar("P")
R = TypeVar("R")

#: How long the proof that the ledger can be written may take (seconds).
_PULSE_LIMIT: Final = 2.5


class PostgresLedger:
    """Keeps every promise of ``ports.Ledger`` in the database at ``url``; to be opened once, in one event loop.

    ``pgbouncer`` says that a PgBouncer in transaction mode stands between; ``pool`` how many connections at most.
    """

    def __init__(self, url: str, *, pgbouncer: bool = False, pool: int = 8) -> None:
        self.url = url
        self._database = Database(url, pgbouncer=pgbouncer, connections=pool)
        self._writer = Writer(self._database)

    async def open(self) -> None:
        await self._database.open()
        try:
            await migrate(self._database, place_of(self.url), migrations())
            await self.ensure_partitions()
        except BaseException as error:
            await self._database.close()
            if isinstance(error, Exception) and hasattr(error, "sqlstate"):
                raise (as_busy() if is_passing(error) else as_misconfigured(self.url, error)) from error
            raise
        self._writer.start()

    async def close(self) -> None:
        await self._writer.stop()
        await self._database.close()

    async def ensure_partitions(self, at: float | None = None) -> None:
        """Make the partitions of the month of ``at`` (by the database's clock) and of the next ones; beside everybody.

        Done when the ledger opens and by itself while it is used.
        """
        async with self._database.transaction(locks.SCHEMA) as connection:
            await partitions.ensure(connection, await partitions.now(connection) if at is None else at)

    # ------------------------------------------------------------- for what else lies in the same database

    async def read(self, question: Callable[[Connection], Awaitable[R]]) -> R:
        """Ask the same database a question of another promise (``store.postgres.failures``, ``replays``).

        All that it asks is answered by one picture. Raises Busy where the database cannot be read now.
        """
        try:
            async with self._database.picture() as connection:
                return await question(connection)
        except Exception as error:
            if is_passing(error):
                raise as_busy() from error
            raise

    async def write(self, step: Step[P, R], payload: P) -> R:
        """Run a step of another promise, in a transaction of its own or of all that ask for the same."""
        return await self._writer.do(step, payload)
