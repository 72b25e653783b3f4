"""The register of dossiers in the tables of a cluster; its lines are written with their messages."""

# ruff: noqa: D102, S608 - ports.dossiers says what each method promises; every value of a statement is bound

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import Told
from gateway.ports import AuditRow, Ledger
from gateway.store.dossier_rows import HEAD, LINE, head_of, head_row, told_of
from gateway.store.postgres import recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import Step


class PostgresDossierRegister:
    """Keeps every promise of ``ports.dossiers.DossierRegister`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def story(self, code: str) -> list[Told]:
        return [told_of(row) for row in await self._rows(_STORY, code)]

    async def children(self, code: str) -> list[str]:
        return [row[0] for row in await self._rows(_CHILDREN, code)]

    async def unsettled(self, *, limit: int = 200) -> list[str]:
        return [row[0] for row in await self._rows(_UNSETTLED, limit)]

    async def settle(self, head: Head, audit: Sequence[AuditRow] = ()) -> bool:
        return await self._ledger.write(_SETTLE, (head, audit))

    async def head(self, code: str) -> Head | None:
        found = await self._rows(_ONE, code)
        return head_of(found[0]) if found else None

    async def heads(
        self, *, lead: str | None = None, status: int | None = None, after: str = "", limit: int = 100
    ) -> list[Head]:
        values = [after, limit, *([] if lead is None else [lead]), *([] if status is None else [status])]
        asked = listing(is_lead=lead is not None, is_status=status is not None)
        return [head_of(row) for row in await self._rows(asked, *values)]

    async def due(self, now: float, *, limit: int = 200) -> list[Head]:
        return [head_of(row) for row in await self._rows(_DUE, now, limit)]

    async def ended(self, since: float, until: float, *, after: str = "", limit: int = 1000) -> list[Head]:
        return [head_of(row) for row in await self._rows(_ENDED, since, until, after, limit)]

    async def _rows(self, asked: str, *values: Any) -> list[tuple[Any, ...]]:
        return await self._ledger.read(partial(_fetch, asked=asked, values=values))


def dossiers_of(ledger: Ledger) -> PostgresDossierRegister:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresDossierRegister(ledger)


_STORY: Final = f"SELECT message_seq, {LINE} FROM dossier_lines WHERE code = $1 ORDER BY message_seq"
_CHILDREN: Final = """
SELECT code FROM dossier_lines WHERE parent = $1 AND parent <> '' AND code <> $1
UNION SELECT child FROM dossier_lines WHERE code = $1 AND child NOT IN ('', $1) ORDER BY 1
"""
_UNSETTLED: Final = "SELECT code FROM dossiers_unsettled ORDER BY first, code LIMIT $1"
_ONE: Final = f"SELECT {HEAD} FROM dossiers WHERE code = $1"
_DUE: Final = (
    f"SELECT {HEAD} FROM dossiers WHERE next_look IS NOT NULL AND next_look <= $1 ORDER BY next_look, code LIMIT $2"
)
#: Of those that are open a page, in order; of those that finished since, all, to be put in order.
_ENDED: Final = f"""
SELECT {HEAD} FROM (
  (SELECT {HEAD} FROM dossiers
    WHERE finished_at IS NULL AND (received_at IS NULL OR received_at < $2) AND code > $3 ORDER BY code LIMIT $4)
  UNION ALL
  (SELECT {HEAD} FROM dossiers
    WHERE finished_at IS NOT NULL AND finished_at >= $1 AND (received_at IS NULL OR received_at < $2) AND code > $3
    ORDER BY code LIMIT $4)
) q ORDER BY code LIMIT $4
"""


def listing(*, is_lead: bool, is_status: bool) -> str:
    """The statement of a list: spelled so that it is answered in order by one index alone, whatever is thought of it.

    An agency's codes lie side by side: to look for them in the order of all codes could mean to read all others.
    """
    names = [*(["lead"] if is_lead else []), *(["status"] if is_status else [])]
    if not names:
        return f"SELECT {HEAD} FROM dossiers WHERE code > $1 ORDER BY code LIMIT $2"
    asked = ", ".join(names)
    values = ", ".join(f"${place}" for place in range(3, 3 + len(names)))
    return (
        f"SELECT {HEAD} FROM dossiers WHERE ({asked}, code) > ({values}, $1) AND ({asked}) <= ({values})"
        f" ORDER BY {asked}, code LIMIT $2"
    )


async def _fetch(connection: Connection, asked: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(asked, *values)]


_NAMES: Final = HEAD.split(", ")
_KEEP: Final = (
    f"INSERT INTO dossiers AS d ({HEAD}) VALUES ({', '.join(f'${place}' for place in range(1, len(_NAMES) + 1))})"
    f" ON CONFLICT (code) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES[1:])}"
    " WHERE d.place <= excluded.place"
)


async def _settle(connection: Connection, asked: Sequence[tuple[Head, Sequence[AuditRow]]]) -> list[bool]:
    # In one order for all gateways: who wants the same rows waits for its end, never in a circle.
    done: dict[int, bool] = {}
    for at in sorted(range(len(asked)), key=lambda each: asked[each][0].code):
        done[at] = await _settle_one(connection, *asked[at])
    return [done[at] for at in range(len(asked))]


async def _settle_one(connection: Connection, head: Head, audit: Sequence[AuditRow]) -> bool:
    # Locked before it is judged: a line may be on its way in, and says so here.
    last = await connection.fetchval("SELECT last FROM dossiers_unsettled WHERE code = $1 FOR UPDATE", head.code)
    if last is not None and last > head.place:
        return False
    if await connection.execute(_KEEP, *head_row(head)) != "INSERT 0 1":
        return False
    await connection.execute("DELETE FROM dossiers_unsettled WHERE code = $1 AND last <= $2", head.code, head.place)
    await recording.audit(connection, audit)
    return True


_SETTLE: Final = Step(_settle)
