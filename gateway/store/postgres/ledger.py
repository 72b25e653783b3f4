"""The ledger of a cluster: ``ports.Ledger`` over one PostgreSQL, shared by any number of gateways."""

# ruff: noqa: D102 - ports.Ledger says what each method promises

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import structlog

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery
from gateway.core.faults import Busy, Fault
from gateway.ports import (
    Acceptance,
    Accepted,
    AuditRow,
    Change,
    Claim,
    Derived,
    HeldFile,
    NewMessage,
    Record,
    RegistryRow,
    RowKind,
    Taken,
)
from gateway.store.postgres import (
    accepting,
    claiming,
    filerights,
    finding,
    journal,
    locks,
    outages,
    partitions,
    recording,
    registry,
)
from gateway.store.postgres.connection import Connection, Database, as_busy, as_misconfigured, is_passing, place_of
from gateway.store.postgres.migrations import migrate, migrations
from gateway.store.postgres.writer import Step, Writer
from gateway.store.removal import MOST

P = TypeVar("P")
R = TypeVar("R")

#: How long the proof that the ledger can be written may take (seconds).
_PULSE_LIMIT: Final = 2.5
#: How often, while something is written, the journal is numbered and the months are looked at (seconds).
_NUMBER_EVERY: Final = 1.0
_MONTHS_EVERY: Final = 3600.0

log = structlog.get_logger()


class PostgresLedger:
    """Keeps every promise of ``ports.Ledger`` in the database at ``url``; to be opened once, in one event loop.

    ``pgbouncer`` says that a PgBouncer in transaction mode stands between; ``pool`` how many connections at most.
    """

    def __init__(self, url: str, *, pgbouncer: bool = False, pool: int = 8) -> None:
        self.url = url
        self._database = Database(url, pgbouncer=pgbouncer, connections=pool)
        self._writer = Writer(self._database)
        self._house: asyncio.Task[None] | None = None
        self._numbered_at = self._months_at = 0.0
        #: Where the last sweep of files ended; None: begin with the oldest.
        self._swept: tuple[float, str] | None = None

    async def open(self) -> None:
        await self._database.open()
        try:
            await migrate(self._database, place_of(self.url), migrations())
            await self.ensure_partitions()
        except BaseException as error:
            await self._database.close()
            raise self._not_opened(error) from error
        self._numbered_at = self._months_at = asyncio.get_running_loop().time()
        self._writer.start()

    async def close(self) -> None:
        if self._house is not None:
            await self._house
        await self._writer.stop()
        await self._database.close()

    def _not_opened(self, error: BaseException) -> BaseException:
        if isinstance(error, Fault) or not isinstance(error, Exception):
            return error
        if is_passing(error):
            return as_busy()
        return as_misconfigured(self.url, error) if hasattr(error, "sqlstate") else error

    async def ensure_partitions(self, at: float | None = None) -> None:
        """Make the partitions of the month of ``at`` (now, by the database's clock) and of the next, beside everybody.

        Done when the ledger opens, and by itself while it is written.
        """
        async with self._database.transaction(locks.SCHEMA) as connection:
            await partitions.ensure(connection, await partitions.now(connection) if at is None else at)

    @property
    def commits(self) -> int:
        """Transactions committed by this process so far."""
        return self._writer.commits

    # ------------------------------------------------------------------------------------------- messages

    async def accept_many(self, messages: Sequence[NewMessage]) -> list[Acceptance]:
        return await self.write(accepting.ACCEPT, messages)

    async def known(self, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
        return await self._glance(partial(accepting.known, keys=keys))

    async def find(self, key: str) -> Record | None:
        return await self.read(partial(finding.find, key=key))

    async def envelope(self, key: str) -> bytes | None:
        return await self._glance(partial(finding.envelope, key=key))

    async def derived(self, message: str, target: str) -> Derived | None:
        return await self._glance(partial(finding.derived, message=message, target=target))

    async def keep_derived(self, made: Derived) -> Derived:
        return await self.write(finding.KEEP_DERIVED, made)

    # ----------------------------------------------------------------------------------------- deliveries

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        return await self._glance(partial(claiming.due, now=now))

    async def claim(
        self, wanted: Mapping[str, int], *, owner: str, now: float, until: float, probers: Sequence[str] = ()
    ) -> list[Claim]:
        return await self.write(claiming.CLAIM, claiming.Wish(wanted, owner, now, until, probers))

    async def overdue(self, recipient: str, now: float, *, limit: int = 500) -> list[Delivery]:
        return await self._glance(partial(claiming.overdue, recipient=recipient, now=now, limit=limit))

    async def breakers(self) -> dict[str, Breaker]:
        return await self._glance(outages.breakers)

    async def keep_breaker(self, recipient: str, breaker: Breaker) -> None:
        await self.write(outages.BREAKER, (recipient, breaker))

    async def owed(self, delivery: str) -> bytes | None:
        return await self._glance(partial(outages.owed, delivery=delivery))

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        return await self.write(recording.RECORD, (changes, now))

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        return await self.write(claiming.LAPSE, (now, owner))

    async def expire(self, now: float, *, limit: int = 500) -> list[Delivery]:
        return await self._glance(partial(finding.expired, now=now, limit=limit))

    async def delivery(self, id: str) -> Delivery | None:
        return await self._glance(partial(finding.delivery, id=id))

    async def deliveries(
        self, *, states: Sequence[str] = (), recipient: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        return await self.read(partial(finding.deliveries, sought=finding.Sought(states, recipient, limit)))

    async def owing(self, limit: int = 200) -> list[Delivery]:
        return await self._glance(partial(outages.owing, limit=limit))

    async def outcome_told(self, deliveries: Sequence[Delivery]) -> None:
        await self.write(outages.TOLD, deliveries)

    async def hold(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        return await self.write(outages.HOLD, (recipient, at, audit))

    async def release(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        return await self.write(outages.RELEASE, (recipient, at, audit))

    async def holds(self) -> dict[str, float]:
        return await self._glance(outages.holds)

    # ---------------------------------------------------------------------------------------------- files

    async def missing_files(self, source: str, digests: Sequence[str]) -> tuple[str, ...]:
        return await self._glance(partial(filerights.missing, source=source, digests=digests))

    async def grant_file(self, held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        return await self.write(filerights.GRANT, (held, system, at, is_present))

    async def may_read_file(self, sha256: str, system: str) -> HeldFile | None:
        return await self._glance(partial(filerights.may_read, sha256=sha256, system=system))

    async def sweep_files(self, before: float, *, remove: Callable[[str], None], limit: int = 500) -> int:
        # Looked for beside everybody, looked at again under the lock. Transactions of their own: a crash after the
        # first, or within another, leaves nobody a right to lost bytes.
        gone = seen = 0
        while gone < limit and seen < filerights.WALK:
            found = await self._glance(partial(filerights.page, before=before, after=self._swept, limit=limit - gone))
            if found.unnamed:
                await self.write(filerights.WITHDRAW, (found.unnamed, before))
            for start in range(0, len(found.unnamed), MOST):
                some = found.unnamed[start : start + MOST]
                gone += await self.write(filerights.FORGET, (some, before, remove))
            self._swept, seen = found.last, seen + filerights.PAGE
            if found.last is None:
                break
        return gone

    # --------------------------------------------------------------------------------- journal and registry

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        await self.write(recording.AUDIT, rows)

    async def count_refusals(self, counts: Mapping[tuple[str, int, str], int]) -> None:
        await self.write(registry.COUNT, counts)

    async def journal(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, str, bytes]]:
        await self._number()
        return await self._glance(partial(journal.leaves, after=after, limit=limit))

    async def use_once(self, token: str, *, until: float, now: float) -> bool:
        return await self.write(registry.USE_ONCE, (token, until, now))

    async def registry(self) -> tuple[int, list[RegistryRow]]:
        return await self.read(registry.rows)

    async def registry_version(self) -> int:
        return await self._glance(registry.version)

    async def change_registry(
        self,
        expected_version: int,
        *,
        put: Sequence[RegistryRow],
        delete: Sequence[tuple[RowKind, str]],
        audit: Sequence[AuditRow],
    ) -> bool:
        return await self.write(registry.CHANGE, registry.Difference(expected_version, put, delete, audit))

    async def is_writable(self) -> bool:
        try:
            async with asyncio.timeout(_PULSE_LIMIT):
                await self.write(registry.PULSE, None)
        except (TimeoutError, Busy):
            return False
        return True

    # ------------------------------------------------------------- for what else lies in the same database

    async def read(self, question: Callable[[Connection], Awaitable[R]]) -> R:
        """Ask the same database a question of another promise (``store.postgres.failures``, ``replays``).

        All that it asks is answered by one picture. Raises Busy where the database cannot be read now.
        """
        async with self._asked(self._database.picture()) as connection:
            return await question(connection)

    async def write(self, step: Step[P, R], payload: P) -> R:
        """Run a step of another promise, in a transaction of its own or of all that ask for the same.

        Raises Busy where the database fails.
        """
        result = await self._writer.do(step, payload)
        self._keep_house()
        return result

    async def _glance(self, question: Callable[[Connection], Awaitable[R]]) -> R:
        """Ask a single question, or some that need no common picture."""
        async with self._asked(self._database.glance()) as connection:
            return await question(connection)

    @asynccontextmanager
    async def _asked(self, opened: AbstractAsyncContextManager[Connection]) -> AsyncIterator[Connection]:
        try:
            async with opened as connection:
                yield connection
        except Exception as error:
            if is_passing(error):
                raise as_busy() from error
            raise

    # ------------------------------------------------------------------------------------- keeping house

    def _keep_house(self) -> None:
        """Begin what is to be done now and then, where it is time and nobody is at it."""
        is_time = asyncio.get_running_loop().time() >= self._numbered_at + _NUMBER_EVERY
        if is_time and (self._house is None or self._house.done()):
            self._house = asyncio.create_task(self._tidied())

    async def _tidied(self) -> None:
        self._numbered_at = asyncio.get_running_loop().time()
        try:
            await self._number()
            if self._numbered_at >= self._months_at + _MONTHS_EVERY:
                self._months_at = self._numbered_at
                await self.ensure_partitions()
        except Exception as error:  # noqa: BLE001 - the next write begins it again
            log.warning("store.house-not-kept", reason=str(error) or type(error).__name__)

    async def _number(self) -> None:
        while await self._writer.do(journal.NUMBER, None):
            pass
