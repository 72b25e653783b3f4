"""Looking at the ledger's file without opening the ledger: nothing is migrated, made or waited for."""

# ruff: noqa: S608 - statements are put together from constants of the program

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.delivery import State
from gateway.core.faults import Busy, Misconfigured
from gateway.ports import HeldFile, RegistryRow
from gateway.ports.agency_lists import KeptList, Proposal
from gateway.store.sqlite import agency_lists as lists
from gateway.store.sqlite import registry
from gateway.store.sqlite.connection import as_busy, as_misconfigured, connect, is_locked
from gateway.store.sqlite.migrations import gone_to, is_half_there, migrations

#: The states in which a delivery waits for somebody; each is counted in an index that holds nothing else.
WAITING: Final = (State.QUEUED, State.LEASED, State.HELD, State.BLOCKED, State.DEAD)
#: Virtual machine steps between two looks at the clock.
_STEPS: Final = 100_000
_PAGE: Final = 1000


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
    log_size: int


def open_for_looking(path: Path) -> sqlite3.Connection:
    """A connection that cannot change a row; raises Misconfigured where the file is no database that can be read."""
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise as_misconfigured(path, error) from error
    return connection


def known_steps() -> int:
    """The last step of the schema that this program knows."""
    return len(migrations())


def shape(connection: sqlite3.Connection, path: Path) -> Shape:
    """The schema's step (0 where the file holds no ledger) and the sizes of file and write-ahead log."""
    named = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions'").fetchone()
    step = 0 if named is None else connection.execute("SELECT max(number) FROM schema_versions").fetchone()[0] or 0
    log = path.with_name(f"{path.name}-wal")
    return Shape(int(step), known_steps(), path.stat().st_size, log.stat().st_size if log.exists() else 0)


def moving(connection: sqlite3.Connection) -> tuple[str | None, bool]:
    """Where the ledger went, where it was left for another store; and whether one is just coming, not whole yet."""
    return gone_to(connection), is_half_there(connection)


def unsoundness(connection: sqlite3.Connection, limit: float) -> list[str] | None:
    """What SQLite's quick check finds wrong, at most ten sentences; None where it did not end in ``limit`` seconds."""
    end = time.monotonic() + limit
    connection.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return None
        return [str(error)]
    finally:
        connection.set_progress_handler(None, 0)
    return [] if found == ["ok"] else found


def waiting(connection: sqlite3.Connection) -> list[Waiting]:
    """What has not reached its recipient yet, by recipient and state."""
    found: list[Waiting] = []
    for state in WAITING:
        rows = connection.execute(
            "SELECT w.recipient, w.n, m.accepted_at FROM (SELECT recipient, count(*) n, min(seq) first FROM deliveries"
            f" WHERE state = '{state.value}' GROUP BY recipient) w"
            " JOIN deliveries d ON d.seq = w.first JOIN messages m ON m.seq = d.message_seq ORDER BY w.recipient"
        )
        found += [Waiting(recipient, state.value, count, oldest) for recipient, count, oldest in rows]
    return found


def newest(connection: sqlite3.Connection) -> float | None:
    """The latest moment that the ledger's last rows speak of; None where it holds no message yet."""
    moments = (
        connection.execute(
            "SELECT max(accepted_at) FROM (SELECT accepted_at FROM messages ORDER BY seq DESC LIMIT 50)"
        ),
        connection.execute("SELECT max(ended_at) FROM (SELECT ended_at FROM attempts ORDER BY seq DESC LIMIT 50)"),
    )
    return max((found for (found,) in (each.fetchone() for each in moments) if found is not None), default=None)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How far the ledger goes: numbers of the last message and of the journal's last leaf."""
    last = "SELECT coalesce(max({}), 0) FROM {}"
    return {
        "messages": connection.execute(last.format("seq", "messages")).fetchone()[0],
        "journal": connection.execute(last.format("number", "journal")).fetchone()[0],
    }


def registered(connection: sqlite3.Connection) -> tuple[int, list[RegistryRow]]:
    """The registry's version and rows."""
    return registry.rows(connection)


def agency_lists(connection: sqlite3.Connection) -> tuple[list[KeptList], list[Proposal]]:
    """The sources of agencies, and the proposals that wait; nothing where the schema does not know them yet."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'agency_proposals'").fetchone() is None:
        return [], []
    return lists.listed(connection), lists.proposals(connection, "waiting", 100)


def recent_envelopes(connection: sqlite3.Connection, limit: int) -> Iterator[bytes]:
    """The last envelopes, the newest first."""
    for (envelope,) in connection.execute("SELECT envelope FROM bodies ORDER BY message_seq DESC LIMIT ?", (limit,)):
        yield bytes(envelope)


def held_files(connection: sqlite3.Connection) -> Iterator[tuple[HeldFile, bool]]:
    """Every file that should lie in the spool, by digest, and whether a message names it."""
    after = ""
    while page := connection.execute(
        "SELECT sha256, size, media_type, EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)"
        " FROM files f WHERE sha256 > ? ORDER BY sha256 LIMIT ?",
        (after, _PAGE),
    ).fetchall():
        for sha256, size, media_type, is_named in page:
            yield HeldFile(sha256, size, media_type), bool(is_named)
        after = page[-1][0]


def write_once(path: Path) -> float:
    """Commit one transaction as the gateway does; answers the seconds it took, the disk's sync included.

    Raises Busy where another process holds the file, Misconfigured where it cannot be written.
    """
    begun = time.monotonic()
    try:
        with closing(connect(path, "writer")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'pulse'")
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _told(path, error) from error
    return time.monotonic() - begun


def copy(path: Path, target: Path) -> None:
    """One consistent picture of the database in the new file ``target``, on disk when this returns.

    Whoever writes meanwhile is neither waited for nor held up. Raises Misconfigured, Busy.
    """
    try:
        with closing(open_for_looking(path)) as source, closing(sqlite3.connect(target)) as made:
            source.backup(made)
            # A file alone is a whole database: nothing of it is left in a log beside it.
            made.execute("PRAGMA journal_mode = DELETE")
            made.execute("PRAGMA synchronous = FULL")
            made.commit()
    except sqlite3.Error as error:
        raise _told(path, error) from error


def is_in_use(path: Path) -> bool:
    """Whether another process has the database open; a file that is no database is in nobody's use."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            # Leaving the write-ahead log needs the file for oneself alone; whoever opens it next sets it again.
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        return is_locked(error)
    return False


def _told(path: Path, error: sqlite3.Error) -> Busy | Misconfigured:
    return as_busy() if is_locked(error) else as_misconfigured(path, error)
