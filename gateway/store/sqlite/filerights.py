"""Who may name and read which file, and forgetting files that nobody names."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from gateway.ports import HeldFile
from gateway.store.removal import MOST, removed
from gateway.store.sqlite.accepting import missing_files
from gateway.store.sqlite.writer import one_by_one

_Grant = tuple[HeldFile, str, float, Callable[[str], bool]]


def missing(connection: sqlite3.Connection, source: str, digests: Sequence[str]) -> tuple[str, ...]:
    """Which of these files ``source`` may not name."""
    absent = missing_files(connection, [(source, sha256) for sha256 in digests])
    return tuple(sha256 for sha256 in dict.fromkeys(digests) if (source, sha256) in absent)


def _grant(connection: sqlite3.Connection, asked: _Grant) -> bool:
    held, system, at, is_present = asked
    if not is_present(held.sha256):
        return False
    connection.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET granted_at = excluded.granted_at",
        (held.sha256, held.size, held.media_type, at),
    )
    connection.execute("INSERT OR IGNORE INTO file_rights VALUES (?, ?)", (held.sha256, system))
    return True


#: Let a system name a file whose bytes are there.
GRANT: Final = one_by_one(_grant)

_MAY_READ: Final = """
SELECT sha256, size, media_type FROM files WHERE sha256 = ?1 AND (
  EXISTS (SELECT 1 FROM file_rights WHERE sha256 = ?1 AND system = ?2)
  OR EXISTS (
    SELECT 1 FROM message_files f CROSS JOIN messages m ON m.seq = f.message_seq
      WHERE f.sha256 = ?1 AND (m.source = ?2
        OR EXISTS (SELECT 1 FROM deliveries d WHERE d.message_seq = m.seq AND d.recipient = ?2))
  )
)
"""


def may_read(connection: sqlite3.Connection, sha256: str, system: str) -> HeldFile | None:
    """The file, where the system has to do with it."""
    row = connection.execute(_MAY_READ, (sha256, system)).fetchone()
    return None if row is None else HeldFile(*row)


_UNNAMED: Final = """
SELECT sha256 FROM files f
  WHERE granted_at < ? AND NOT EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)
"""


def _withdraw(connection: sqlite3.Connection, asked: tuple[float, int]) -> None:
    stale = connection.execute(f"{_UNNAMED} ORDER BY granted_at LIMIT ?", asked).fetchall()
    connection.execute(
        "DELETE FROM file_rights WHERE sha256 IN (SELECT value FROM json_each(?))",
        (json.dumps([sha256 for (sha256,) in stale]),),
    )


#: Withdraw the rights to files that no message names and that were last granted before a moment, so many at most.
WITHDRAW: Final = one_by_one(_withdraw)


_NOBODYS: Final = "AND NOT EXISTS (SELECT 1 FROM file_rights r WHERE r.sha256 = f.sha256) ORDER BY granted_at LIMIT ?"


def _forget(connection: sqlite3.Connection, asked: tuple[float, Callable[[str], None]]) -> int:
    before, remove = asked
    found = connection.execute(f"{_UNNAMED} {_NOBODYS}", (before, MOST)).fetchall()
    gone = removed([sha256 for (sha256,) in found], remove)
    connection.execute("DELETE FROM files WHERE sha256 IN (SELECT value FROM json_each(?))", (json.dumps(gone),))
    return len(gone)


#: Remove and forget those to which nobody has a right any more, MOST at a time; says how many.
FORGET: Final = one_by_one(_forget)
