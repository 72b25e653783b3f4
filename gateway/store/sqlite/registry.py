"""The registry with its version, the journal's leaves, one-time tokens, counted refusals, and the pulse."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ports import REFUSALS_KEPT, AuditRow, RegistryRow, RowKind
from gateway.store.sqlite.recording import audit
from gateway.store.sqlite.writer import one_by_one


def version(connection: sqlite3.Connection) -> int:
    """How often the registry was changed."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'registry_version'").fetchone()
    return int(row[0])


def rows(connection: sqlite3.Connection) -> tuple[int, list[RegistryRow]]:
    """The version and all rows, by kind and key."""
    found = connection.execute("SELECT kind, key, origin, body FROM registry ORDER BY kind, key").fetchall()
    return version(connection), [RegistryRow(kind, key, origin, json.loads(body)) for kind, key, origin, body in found]


@dataclass(frozen=True, slots=True)
class Difference:
    """A change of the registry, good for one version of it."""

    expected_version: int
    put: Sequence[RegistryRow]
    delete: Sequence[tuple[RowKind, str]]
    audit: Sequence[AuditRow]


def _change(connection: sqlite3.Connection, wanted: Difference) -> bool:
    if version(connection) != wanted.expected_version:
        return False
    connection.executemany("DELETE FROM registry WHERE kind = ? AND key = ?", wanted.delete)
    connection.executemany(
        "INSERT OR REPLACE INTO registry VALUES (?, ?, ?, ?)",
        [(row.kind, row.key, row.origin, json.dumps(row.body, ensure_ascii=False)) for row in wanted.put],
    )
    connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'registry_version'")
    audit(connection, wanted.audit)
    return True


#: Write a difference where the version still is the expected one.
CHANGE: Final = one_by_one(_change)


def leaves(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, str, bytes]]:
    """Leaves of the journal after a number."""
    return connection.execute(
        "SELECT number, kind, body FROM journal WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
    ).fetchall()


def _use_once(connection: sqlite3.Connection, asked: tuple[str, float, float]) -> bool:
    token, until, now = asked
    connection.execute("DELETE FROM once WHERE until < ?", (now,))
    return connection.execute("INSERT OR IGNORE INTO once VALUES (?, ?)", (token, until)).rowcount == 1


#: Use a one-time token: (token, until, now).
USE_ONCE: Final = one_by_one(_use_once)


#: The oldest minute alone: as many go as came once, and there always is a next time.
_FORGET_COUNTS: Final = (
    "DELETE FROM refusals WHERE minute = (SELECT minute FROM refusals WHERE minute < ? ORDER BY minute LIMIT 1)"
)


def _count(connection: sqlite3.Connection, counts: Mapping[tuple[str, int, str], int]) -> None:
    connection.executemany(
        "INSERT INTO refusals (address, minute, problem, count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(*key, count) for key, count in counts.items()],
    )
    if counts:
        newest = max(minute for _, minute, _ in counts)
        connection.execute(_FORGET_COUNTS, (newest - REFUSALS_KEPT,))


#: Add to the counts of refusals, and let go of those of the oldest minute where it is too long ago.
COUNT: Final = one_by_one(_count)


def _beat(connection: sqlite3.Connection, _: None) -> None:
    connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'pulse'")


#: Write something, to see that it can be written.
PULSE: Final = one_by_one(_beat)
