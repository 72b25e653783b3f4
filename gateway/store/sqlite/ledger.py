"""The ledger of a single node: ``ports.Ledger`` over one SQLite file, shared by any number of processes."""

# ruff: noqa: D102 - ports.Ledger says what each method promises

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery
from gateway.core.faults import Busy, Misconfigured, Text
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
from gateway.store.removal import MOST
from gateway.store.sqlite import accepting, claiming, filerights, finding, recording, registry
from gateway.store.sqlite.connection import OLDEST_SQLITE, as_busy, as_misconfigured, connect, is_locked, make_file
from gateway.store.sqlite.migrations import migrate, migrations
from gateway.store.sqlite.readers import Readers
from gateway.store.sqlite.writer import Step, Writer

P = TypeVar("P")
R = TypeVar("R")

#: How long the proof that the ledger can be written may take (seconds).
_PULSE_LIMIT: Final = 2.5


class SqliteLedger:
    """Keeps every promise of ``ports.Ledger`` in the file ``path``; to be opened once, in one event loop or several."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = Writer(path)
        self._readers = Readers(path)
        #: Where the last sweep of files ended; None: begin with the oldest.
        self._swept: tuple[float, str] | None = None

    async def open(self) -> None:
        self._writer.start(await asyncio.to_thread(self._made_ready))

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._readers.stop)

    def _made_ready(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise Misconfigured(
                "SQLite",
                Text(f"SQLite {sqlite3.sqlite_version} quá cũ", f"SQLite {sqlite3.sqlite_version} is too old"),
                Text(
                    f"Quản trị viên cài Python dùng SQLite từ {'.'.join(map(str, OLDEST_SQLITE))} trở lên.",
                    f"The administrator installs a Python with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer.",
                ),
            )
        try:
            make_file(self.path)
            connection = connect(self.path, "writer")
        except (OSError, sqlite3.Error) as error:
            raise self._not_opened(error) from error
        try:
            migrate(connection, self.path, migrations())
        except sqlite3.Error as error:
            connection.close()
            raise self._not_opened(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _not_opened(self, error: Exception) -> Busy | Misconfigured:
        return as_busy() if is_locked(error) else as_misconfigured(self.path, error)

    # ------------------------------------------------------------------------------------------- messages

    async def accept_many(self, messages: Sequence[NewMessage]) -> list[Acceptance]:
        return await self._writer.do(accepting.ACCEPT, messages)

    async def known(self, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
        return await self._readers.ask(partial(accepting.known, keys=keys))

    async def find(self, key: str) -> Record | None:
        return await self._readers.ask(partial(finding.find, key=key))

    async def envelope(self, key: str) -> bytes | None:
        return await self._readers.ask(partial(finding.envelope, key=key))

    async def derived(self, message: str, target: str) -> Derived | None:
        return await self._readers.ask(partial(finding.derived, message=message, target=target))

    async def keep_derived(self, made: Derived) -> Derived:
        return await self._writer.do(finding.KEEP_DERIVED, made)

    # ----------------------------------------------------------------------------------------- deliveries

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        return await self._readers.ask(partial(claiming.due, now=now))

    async def claim(
        self, wanted: Mapping[str, int], *, owner: str, now: float, until: float, probers: Sequence[str] = ()
    ) -> list[Claim]:
        return await self._writer.do(claiming.CLAIM, claiming.Wish(wanted, owner, now, until, tuple(probers)))

    async def overdue(self, recipient: str, now: float, *, limit: int = 500) -> list[Delivery]:
        return await self._readers.ask(partial(claiming.overdue, recipient=recipient, now=now, limit=limit))

    async def breakers(self) -> dict[str, Breaker]:
        return await self._readers.ask(recording.breakers)

    async def keep_breaker(self, recipient: str, breaker: Breaker) -> None:
        await self._writer.do(recording.BREAKER, (recipient, breaker))

    async def owed(self, delivery: str) -> bytes | None:
        return await self._readers.ask(partial(recording.owed, delivery=delivery))

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        return await self._writer.do(recording.RECORD, (changes, now))

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        return await self._writer.do(claiming.LAPSE, (now, owner))

    async def expire(self, now: float, *, limit: int = 500) -> list[Delivery]:
        return await self._readers.ask(partial(finding.expired, now=now, limit=limit))

    async def delivery(self, id: str) -> Delivery | None:
        return await self._readers.ask(partial(finding.delivery, id=id))

    async def deliveries(
        self, *, states: Sequence[str] = (), recipient: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        return await self._readers.ask(partial(finding.deliveries, sought=finding.Sought(states, recipient, limit)))

    async def owing(self, limit: int = 200) -> list[Delivery]:
        return await self._readers.ask(partial(finding.owing, limit=limit))

    async def outcome_told(self, deliveries: Sequence[Delivery]) -> None:
        await self._writer.do(recording.TOLD, deliveries)

    async def hold(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        return await self._writer.do(recording.HOLD, (recipient, at, audit))

    async def release(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        return await self._writer.do(recording.RELEASE, (recipient, at, audit))

    async def holds(self) -> dict[str, float]:
        return await self._readers.ask(recording.holds)

    # ---------------------------------------------------------------------------------------------- files

    async def missing_files(self, source: str, digests: Sequence[str]) -> tuple[str, ...]:
        return await self._readers.ask(partial(filerights.missing, source=source, digests=digests))

    async def grant_file(self, held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        return await self._writer.do(filerights.GRANT, (held, system, at, is_present))

    async def may_read_file(self, sha256: str, system: str) -> HeldFile | None:
        return await self._readers.ask(partial(filerights.may_read, sha256=sha256, system=system))

    async def sweep_files(self, before: float, *, remove: Callable[[str], None], limit: int = 500) -> int:
        # Looked for beside everybody, looked at again by the writer. Transactions of their own: a crash after the
        # first, or within another, leaves nobody a right to lost bytes.
        gone = seen = 0
        while gone < limit and seen < filerights.WALK:
            look = partial(filerights.page, before=before, after=self._swept, limit=limit - gone)
            found = await self._readers.ask(look)
            if found.unnamed:
                await self._writer.do(filerights.WITHDRAW, (found.unnamed, before))
            for start in range(0, len(found.unnamed), MOST):
                some = found.unnamed[start : start + MOST]
                gone += await self._writer.do(filerights.FORGET, (some, before, remove))
            self._swept, seen = found.last, seen + filerights.PAGE
            if found.last is None:
                break
        return gone

    # --------------------------------------------------------------------------------- journal and registry

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        await self._writer.do(recording.AUDIT, rows)

    async def count_refusals(self, counts: Mapping[tuple[str, int, str], int]) -> None:
        await self._writer.do(registry.COUNT, counts)

    async def journal(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, str, bytes]]:
        return await self._readers.ask(partial(registry.leaves, after=after, limit=limit))

    async def use_once(self, token: str, *, until: float, now: float) -> bool:
        return await self._writer.do(registry.USE_ONCE, (token, until, now))

    async def registry(self) -> tuple[int, list[RegistryRow]]:
        return await self._readers.ask(registry.rows)

    async def registry_version(self) -> int:
        return await self._readers.ask(registry.version)

    async def change_registry(
        self,
        expected_version: int,
        *,
        put: Sequence[RegistryRow],
        delete: Sequence[tuple[RowKind, str]],
        audit: Sequence[AuditRow],
    ) -> bool:
        return await self._writer.do(registry.CHANGE, registry.Difference(expected_version, put, delete, audit))

    async def is_writable(self) -> bool:
        try:
            async with asyncio.timeout(_PULSE_LIMIT):
                await self._writer.do(registry.PULSE, None)
        except (TimeoutError, Busy):
            return False
        return True

    # ------------------------------------------------------------- for what else lies in the same file

    async def read(self, question: Callable[[sqlite3.Connection], R]) -> R:
        """Ask the same file a question of another promise (``store.sqlite.failures``, ``replays``)."""
        return await self._readers.ask(question)

    async def write(self, step: Step[P, R], payload: P) -> R:
        """Run a step of another promise in the one writer, so that it may share a transaction."""
        return await self._writer.do(step, payload)
