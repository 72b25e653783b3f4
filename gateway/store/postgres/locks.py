"""Locks of a transaction, always taken in one order, so that gateways wait for one another but never in a circle.

*The gate* is held by everybody who places deliveries, side by side; whoever changes the rule by which they are placed
(a hold) has it alone. *A lane* is held by who adds to it or ends something in it: so the order in which its deliveries
got their numbers is the order of the commits, and nothing becomes the head of a lane unseen. *A document* is held by
who keeps what is said of it, so that what was sent and what was reported see one another. *A dossier* is held alike, so
that its lines are committed in the order of their numbers. *The files* are held side by
side by who names or grants some, and alone by the sweep. *The past* is held side by side by who makes deliveries of
messages kept before, and alone by retention. All end with the transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from gateway.store.postgres.connection import Connection

#: Lanes are positive numbers, documents too but above them all; all others are negative.
_GATE: Final = -1
_FILES: Final = -2
_NUMBERING: Final = -3
_SCHEMA: Final = -4
_LEAVING: Final = -5
_PAST: Final = -6
_DOCUMENTS: Final = 1 << 60
#: Beyond so many of both a transaction takes the gate alone instead: the server's table of locks has an end.
MOST_LANES: Final = 400

#: Statements that go on after BEGIN, for ``Database.transaction``.
ALONE: Final = f"; SELECT pg_advisory_xact_lock({_GATE})"
FILES: Final = f"; SELECT pg_advisory_xact_lock_shared({_FILES})"
FILES_ALONE: Final = f"; SELECT pg_advisory_xact_lock({_FILES})"
NUMBERING: Final = f"; SELECT pg_advisory_xact_lock({_NUMBERING})"
KEEPING: Final = f"; SELECT pg_advisory_xact_lock_shared({_PAST})"
RETIRING: Final = f"; SELECT pg_advisory_xact_lock({_PAST})"
SCHEMA: Final = f"; SELECT pg_advisory_xact_lock({_SCHEMA})"
#: Asked, not waited for: to leave the ledger for good, and to begin to work on it.
TRY_LEAVING: Final = f"SELECT pg_try_advisory_xact_lock({_LEAVING})"
TRY_STAYING: Final = f"SELECT pg_try_advisory_xact_lock_shared({_LEAVING})"


def lanes(names: Iterable[str | None], documents: Iterable[tuple[str, str]] = (), dossiers: Iterable[str] = ()) -> str:
    """The gate side by side with others, these lanes, these documents (key, issuer) and these dossiers (code)."""
    spoken_of = {*map(_of_document, documents), *(_of_document((code, "dossier")) for code in dossiers)}
    numbers = sorted({*(_number(name) for name in names if name is not None), *spoken_of})
    if len(numbers) > MOST_LANES:
        return ALONE
    gate = f"; SELECT pg_advisory_xact_lock_shared({_GATE})"
    if not numbers:
        return gate
    listed = ",".join(map(str, numbers))
    return f"{gate}; SELECT pg_advisory_xact_lock(n) FROM unnest('{{{listed}}}'::bigint[]) AS n"  # noqa: S608 - numbers


async def take(connection: Connection, locks: str) -> None:
    """Take locks in the midst of a transaction (once, and before anything is read that they protect)."""
    await connection.execute(locks.removeprefix("; "))


def _number(lane: str) -> int:
    """A lane is named by hexadecimal digits (``core.delivery.lane_of``); fifteen of them are a number."""
    return int(lane[:15], 16)


def _of_document(name: tuple[str, str]) -> int:
    return _DOCUMENTS | int(hashlib.sha256("\0".join(name).encode()).hexdigest()[:15], 16)
