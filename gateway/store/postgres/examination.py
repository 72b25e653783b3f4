"""Looking at a cluster's database without opening the ledger: nothing is migrated, made or waited for.

Each question waits for its answer, as whoever asks (doctor, bench) has nothing else to do: a loop of its own, in a
thread of its own, talks to the server.
"""

# ruff: noqa: S608 - statements are put together from constants of the program

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]

from gateway.ports import HeldFile, RegistryRow
from gateway.ports.agency_lists import KeptList, Proposal
from gateway.store.postgres import agency_lists as lists
from gateway.store.postgres import registry
from gateway.store.postgres.connection import OLDEST_POSTGRES, as_busy, as_misconfigured, is_passing
from gateway.store.postgres.migrations import gone_to, is_half_there, migrations

R = TypeVar("R")

OLDEST: Final = OLDEST_POSTGRES
#: How long the server may take to be reached, and for one answer (seconds).
_CONNECT: Final = 5.0
_ANSWER: Final = 60.0
_PAGE: Final = 1000
#: What the server is asked about itself, beside what its sessions say.
_ASKED: Final = (
    "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "max_connections",
    "superuser_reserved_connections",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many deliveries to a recipient are in a state, and when the oldest of them was accepted."""

    recipient: str
    state: str
    count: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Shape:
    """What the database is: the step of its schema, the last step that this program knows, its size in bytes."""

    schema: int
    known: int
    size: int


@dataclass(frozen=True, slots=True)
class Server:
    """The server itself: its version, whether it only follows another one, some of its settings, its clock.

    ``connections``: how many there are now, of everybody; ``processes``: the names of those at work on the ledger.
    """

    version: int
    is_standby: bool
    settings: Mapping[str, str]
    connections: int
    clock: float
    processes: Sequence[str]


class Looking:
    """A connection on which nothing can be changed; every question is asked and answered in turn."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="looking", daemon=True)
        self._thread.start()
        try:
            self._connection = self._wait(
                asyncpg.connect(url, timeout=_CONNECT, statement_cache_size=0, command_timeout=_ANSWER)
            )
        except BaseException:
            self._end()
            raise

    def fetch(self, question: str, *values: Any) -> list[Any]:
        """All rows; raises Misconfigured or Busy where the server does not answer."""
        return self.ask(self._connection.fetch(question, *values))

    def value(self, question: str, *values: Any) -> Any:
        """The first value of the first row."""
        return self.ask(self._connection.fetchval(question, *values))

    def ask(self, work: Coroutine[Any, Any, R]) -> R:
        """What a question that is put together elsewhere answers."""
        return self._wait(self._in_a_transaction(work))

    async def _in_a_transaction(self, work: Coroutine[Any, Any, R]) -> R:
        # of its own each, so that a PgBouncer between gives no other connection in the midst
        async with self._connection.transaction(readonly=True):
            return await work

    @property
    def connection(self) -> Any:
        """For questions of the ledger's own, with :meth:`ask`."""
        return self._connection

    def write(self, statement: str) -> None:
        """The one thing that may be written: the proof that something can be."""
        self._wait(self._connection.execute(statement))

    def close(self) -> None:
        """Let go; safe to repeat."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(_CONNECT)
            self._end()

    async def _hang_up(self) -> None:
        try:
            await self._connection.close(timeout=1.0)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()
            await asyncio.sleep(0)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, R]) -> R:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER + _CONNECT)
        except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            passes = is_passing(error) and not isinstance(error, OSError | ValueError | TimeoutError)
            raise (as_busy() if passes else as_misconfigured(self._url, error)) from error


def open_for_looking(url: str) -> Looking:
    """A connection that cannot change a row; raises Misconfigured where the server cannot be reached."""
    return Looking(url)


def known_steps() -> int:
    """The last step of the schema that this program knows."""
    return len(migrations())


def _has(looking: Looking, name: str) -> bool:
    return looking.value("SELECT to_regclass($1)", name) is not None


def server(looking: Looking) -> Server:
    """What the server says of itself."""
    rows = looking.fetch("SELECT name, reset_val FROM pg_settings WHERE name = ANY($1)", list(_ASKED))
    alive = "SELECT name FROM processes WHERE until > extract(epoch FROM clock_timestamp()) ORDER BY since, name"
    return Server(
        version=int(looking.value("SHOW server_version_num")),
        is_standby=bool(looking.value("SELECT pg_is_in_recovery()")),
        settings=dict(rows),
        connections=int(looking.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")),
        clock=float(looking.value("SELECT extract(epoch FROM clock_timestamp())")),
        processes=[name for (name,) in looking.fetch(alive)] if _has(looking, "processes") else [],
    )


def shape(looking: Looking) -> Shape:
    """The schema's step (0 where the database holds no ledger) and its size."""
    named = _has(looking, "schema_versions")
    step = looking.value("SELECT coalesce(max(number), 0) FROM schema_versions") if named else 0
    return Shape(int(step), known_steps(), int(looking.value("SELECT pg_database_size(current_database())")))


def moving(looking: Looking) -> tuple[str | None, bool]:
    """Where the ledger went, where it was left for another store; and whether one is just coming, not whole yet."""
    return looking.ask(gone_to(looking.connection)), looking.ask(is_half_there(looking.connection))


def waiting(looking: Looking) -> list[Waiting]:
    """What has not reached its recipient yet, by recipient and state."""
    rows = looking.fetch(
        "SELECT w.recipient, w.state, w.n, coalesce(m.accepted_at, d.due) FROM (SELECT recipient, state, count(*) n,"
        " min(seq) AS first FROM deliveries GROUP BY recipient, state) w JOIN deliveries d ON d.seq = w.first"
        " LEFT JOIN messages m ON m.seq = d.message_seq ORDER BY w.state, w.recipient"
    )
    return [Waiting(*row) for row in rows]


def newest(looking: Looking) -> float | None:
    """The latest moment that the ledger's last rows speak of; None where it holds no message yet."""
    moments = [
        looking.value(f"SELECT max({moment}) FROM (SELECT {moment} FROM {name} ORDER BY seq DESC LIMIT 50) q")
        for name, moment in (("messages", "accepted_at"), ("attempts", "ended_at"))
    ]
    return max((moment for moment in moments if moment is not None), default=None)


def registered(looking: Looking) -> tuple[int, list[RegistryRow]]:
    """The registry's version and rows."""
    return looking.ask(registry.rows(looking.connection))


def agency_lists(looking: Looking) -> tuple[list[KeptList], list[Proposal]]:
    """The sources of agencies, and the proposals that wait."""
    kept = looking.ask(lists.listed(looking.connection))
    return kept, looking.ask(lists.proposals(looking.connection, "waiting", 100))


def recent_envelopes(looking: Looking, limit: int) -> Iterator[bytes]:
    """The last envelopes, the newest first."""
    for (envelope,) in looking.fetch("SELECT envelope FROM bodies ORDER BY message_seq DESC LIMIT $1", limit):
        yield bytes(envelope)


def held_files(looking: Looking) -> Iterator[tuple[HeldFile, bool]]:
    """Every file that should lie in the spool, and whether a message names it."""
    after = ""
    while page := looking.fetch(
        "SELECT sha256, size, media_type, EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)"
        " FROM files f WHERE sha256 > $1 ORDER BY sha256 LIMIT $2",
        after,
        _PAGE,
    ):
        for sha256, size, media_type, is_named in page:
            yield HeldFile(sha256, size, media_type), is_named
        after = page[-1][0]


def write_once(url: str) -> float:
    """Commit one transaction as the gateway does; answers the seconds it took, the disk's sync included."""
    looking = open_for_looking(url)
    try:
        begun = time.monotonic()
        looking.write(
            "BEGIN; SET LOCAL synchronous_commit = on; UPDATE meta SET value = value + 1 WHERE name = 'pulse'; COMMIT"
        )
        return time.monotonic() - begun
    finally:
        looking.close()
