"""Lines of the register of dossiers: written with their messages, gone when the dossier is as old as they may be."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from gateway.store.dossier_rows import LINE, unsettled
from gateway.store.sqlite.rows import insert

_UNSETTLE: Final = (
    "INSERT INTO dossiers_unsettled (code, first, last) VALUES (?, ?, ?)"
    " ON CONFLICT (code) DO UPDATE SET last = excluded.last"
)
_OLD: Final = (
    "SELECT code FROM dossiers d INDEXED BY dossiers_by_age WHERE place <= ?"
    " AND NOT EXISTS (SELECT 1 FROM dossiers_unsettled u WHERE u.code = d.code) ORDER BY place LIMIT ?"
)


def write(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert lines (place first, then LINE), and say that their dossiers are to be worked out again."""
    insert(connection, f"dossier_lines (message_seq, {LINE})", rows)
    connection.executemany(_UNSETTLE, unsettled(rows))


def forget(connection: sqlite3.Connection, until: int, limit: int) -> bool:
    """Remove at most ``limit`` dossiers whose youngest line is not behind ``until``; whether there may be more.

    A dossier goes as a whole: what is left of half a story would tell another one.
    """
    codes = connection.execute(_OLD, (until, limit)).fetchall()
    for table in ("dossier_lines", "dossiers"):
        connection.executemany(f"DELETE FROM {table} WHERE code = ?", codes)
    return len(codes) >= limit
