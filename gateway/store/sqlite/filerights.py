"""Who may name and read which file, and forgetting files that nobody names."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ports import HeldFile
from gateway.store.removal import removed
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


# ------------------------------------------------------------------------------------------------------------ the sweep

#: Files that are looked at together, and in one sweep: most are named, and the next sweep goes on behind these.
PAGE: Final = 2_000
WALK: Final = 50_000
_GRANTED: Final = """
SELECT sha256, granted_at, EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256) FROM files f
  WHERE granted_at < ?1 AND granted_at >= ?2 AND (granted_at, sha256) > (?2, ?3) ORDER BY granted_at, sha256 LIMIT ?4
"""
_START: Final = (0.0, "")


@dataclass(frozen=True, slots=True)
class Page:
    """Files that no message named when they were looked at; ``last`` is where the next page begins, None at the end."""

    unnamed: Sequence[str]
    last: tuple[float, str] | None


def page(connection: sqlite3.Connection, before: float, after: tuple[float, str] | None, limit: int) -> Page:
    """What was last granted before a moment, from where a page ended: at most ``limit`` that no message names."""
    rows = connection.execute(_GRANTED, (before, *(after or _START), PAGE)).fetchall()
    unnamed: list[str] = []
    for sha256, granted_at, is_named in rows:
        if not is_named:
            unnamed.append(sha256)
            if len(unnamed) >= limit:
                return Page(unnamed, (granted_at, sha256))
    return Page(unnamed, (rows[-1][1], rows[-1][0]) if len(rows) == PAGE else None)


#: Those of some files that still are as they were when they were looked at.
_STILL: Final = """
SELECT sha256 FROM json_each(?) q CROSS JOIN files f ON f.sha256 = q.value WHERE granted_at < ?
  AND NOT EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)
"""


_WITHDRAW: Final = f"DELETE FROM file_rights WHERE sha256 IN ({_STILL})"  # noqa: S608 - a constant of the program


def _withdraw(connection: sqlite3.Connection, asked: tuple[Sequence[str], float]) -> None:
    digests, before = asked
    connection.execute(_WITHDRAW, (json.dumps(digests), before))


#: Withdraw the rights to files that no message names and that were last granted before a moment.
WITHDRAW: Final = one_by_one(_withdraw)

_NOBODYS: Final = "AND NOT EXISTS (SELECT 1 FROM file_rights r WHERE r.sha256 = f.sha256)"


def _forget(connection: sqlite3.Connection, asked: tuple[Sequence[str], float, Callable[[str], None]]) -> int:
    digests, before, remove = asked
    found = connection.execute(f"{_STILL} {_NOBODYS}", (json.dumps(digests), before)).fetchall()
    gone = removed([sha256 for (sha256,) in found], remove)
    connection.execute("DELETE FROM files WHERE sha256 IN (SELECT value FROM json_each(?))", (json.dumps(gone),))
    return len(gone)


#: Remove and forget those of them to which nobody has a right any more; says how many. To be asked for a few at a time.
FORGET: Final = one_by_one(_forget)
