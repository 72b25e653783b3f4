"""Who may name and read which file, and forgetting files that nobody names."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ports import HeldFile
from gateway.store.postgres import locks
from gateway.store.postgres.accepting import missing_files
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.writer import one_by_one
from gateway.store.removal import removed

_Grant = tuple[HeldFile, str, float, Callable[[str], bool]]


async def missing(connection: Connection, source: str, digests: Sequence[str]) -> tuple[str, ...]:
    """Which of these files ``source`` may not name."""
    absent = await missing_files(connection, [(source, sha256) for sha256 in digests])
    return tuple(sha256 for sha256 in dict.fromkeys(digests) if (source, sha256) in absent)


async def _grant(connection: Connection, asked: _Grant) -> bool:
    held, system, at, is_present = asked
    if not await asyncio.to_thread(is_present, held.sha256):
        return False
    await connection.execute(
        "INSERT INTO files VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO UPDATE SET granted_at = excluded.granted_at",
        held.sha256, held.size, held.media_type, at,
    )  # fmt: skip
    await connection.execute("INSERT INTO file_rights VALUES ($1, $2) ON CONFLICT DO NOTHING", held.sha256, system)
    return True


#: Let a system name a file whose bytes are there.
GRANT: Final = one_by_one(_grant, locks=lambda _: locks.FILES)

_MAY_READ: Final = """
SELECT sha256, size, media_type FROM files WHERE sha256 = $1 AND (
  EXISTS (SELECT 1 FROM file_rights WHERE sha256 = $1 AND system = $2)
  OR EXISTS (
    SELECT 1 FROM message_files f JOIN messages m ON m.seq = f.message_seq JOIN ids i ON i.key = m.key
      WHERE f.sha256 = $1 AND i.source = $2
  )
  OR EXISTS (
    SELECT 1 FROM message_files f JOIN every_delivery d ON d.message_seq = f.message_seq
      WHERE f.sha256 = $1 AND d.recipient = $2
  )
)
"""


async def may_read(connection: Connection, sha256: str, system: str) -> HeldFile | None:
    """The file, where the system has to do with it."""
    row = await connection.fetchrow(_MAY_READ, sha256, system)
    return None if row is None else HeldFile(*row)


# ------------------------------------------------------------------------------------------------------------ the sweep

#: Files that are looked at together, and in one sweep: most are named, and the next sweep goes on behind these.
PAGE: Final = 2_000
WALK: Final = 50_000
_GRANTED: Final = """
SELECT sha256, granted_at, EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256) FROM files f
  WHERE granted_at < $1 AND granted_at >= $2 AND (granted_at, sha256) > ($2, $3) ORDER BY granted_at, sha256 LIMIT $4
"""
_START: Final = (-math.inf, "")


@dataclass(frozen=True, slots=True)
class Page:
    """Files that no message named when they were looked at; ``last`` is where the next page begins, None at the end."""

    unnamed: Sequence[str]
    last: tuple[float, str] | None


async def page(connection: Connection, before: float, after: tuple[float, str] | None, limit: int) -> Page:
    """What was last granted before a moment, from where a page ended: at most ``limit`` that no message names."""
    rows = await connection.fetch(_GRANTED, before, *(after or _START), PAGE)
    unnamed: list[str] = []
    for sha256, granted_at, is_named in rows:
        if not is_named:
            unnamed.append(sha256)
            if len(unnamed) >= limit:
                return Page(unnamed, (granted_at, sha256))
    return Page(unnamed, (rows[-1][1], rows[-1][0]) if len(rows) == PAGE else None)


#: Those of some files that still are as they were when they were looked at.
_STILL: Final = """
SELECT sha256 FROM files f WHERE sha256 = ANY($1::text[]) AND granted_at < $2
  AND NOT EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)
"""


async def _withdraw(connection: Connection, asked: tuple[Sequence[str], float]) -> None:
    await connection.execute(f"DELETE FROM file_rights WHERE sha256 IN ({_STILL})", *asked)


#: Withdraw the rights to files that no message names and that were last granted before a moment.
WITHDRAW: Final = one_by_one(_withdraw, locks=lambda _: locks.FILES_ALONE)


async def _forget(connection: Connection, asked: tuple[Sequence[str], float, Callable[[str], None]]) -> int:
    *meant, remove = asked
    nobody = "AND NOT EXISTS (SELECT 1 FROM file_rights r WHERE r.sha256 = f.sha256)"
    found = [sha256 for (sha256,) in await connection.fetch(f"{_STILL} {nobody}", *meant)]
    gone = await asyncio.to_thread(removed, found, remove) if found else []
    await connection.execute("DELETE FROM files WHERE sha256 = ANY($1::text[])", gone)
    return len(gone)


#: Remove and forget those of them to which nobody has a right any more; says how many. To be asked for a few at a time.
FORGET: Final = one_by_one(_forget, locks=lambda _: locks.FILES_ALONE)
