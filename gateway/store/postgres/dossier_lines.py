"""Lines of the register of dossiers: written with their messages, gone when the dossier is as old as they may be.

Whoever keeps a line holds the lock of its dossier (``locks.lanes``) to the end of the transaction, so that no line is
committed behind a younger one.
"""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.store.dossier_rows import LINE, unsettled
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import arrays, columns

_TYPES: Final = ("int8", "text", "text", "text", "text", "text", "text", "float8", "text")
_UNSETTLE: Final = (
    "INSERT INTO dossiers_unsettled (code, first, last) SELECT * FROM"
    f" unnest({arrays(['text', 'int8', 'int8'])}) ON CONFLICT (code) DO UPDATE SET last = excluded.last"
)
_OLD: Final = (
    "SELECT place, code FROM dossiers d WHERE place > $1 AND place < $2"
    " AND NOT EXISTS (SELECT FROM dossiers_unsettled u WHERE u.code = d.code) ORDER BY place LIMIT $3"
)


async def write(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert lines (place first, then LINE), and say that their dossiers are to be worked out again."""
    await connection.execute(
        f"INSERT INTO dossier_lines (message_seq, {LINE}) SELECT * FROM unnest({arrays(_TYPES)})",
        *columns(rows, len(_TYPES)),
    )
    await connection.execute(_UNSETTLE, *columns(unsettled(rows), 3))


async def forget(connection: Connection, after: int, end: int, limit: int) -> int | None:
    """Remove at most ``limit`` dossiers whose youngest line has a number behind ``after`` and below ``end``.

    A dossier goes as a whole: what is left of half a story would tell another one. Answers the last number that was
    looked at; None where that was all.
    """
    old = await connection.fetch(_OLD, after, end, limit)
    codes = [code for _, code in old]
    # Its lines up to the youngest that its head knows: one that is just being kept begins a story of its own.
    await connection.execute(
        "DELETE FROM dossier_lines l USING unnest($1::text[], $2::int8[]) AS o (code, place)"
        " WHERE l.code = o.code AND l.message_seq <= o.place",
        codes,
        [place for place, _ in old],
    )
    await connection.execute("DELETE FROM dossiers WHERE code = ANY($1::text[])", codes)
    return int(old[-1][0]) if len(old) >= limit else None
