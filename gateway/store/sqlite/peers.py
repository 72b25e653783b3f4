"""The processes on one file: their beats, and the paces that they keep together."""

# ruff: noqa: D102 - ports.peers says what each method promises

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.rate import Rate
from gateway.ports import Ledger
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one


class SqlitePeers:
    """Keeps every promise of ``ports.peers.Peers`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def beat(self, process: str, *, now: float, until: float) -> Sequence[str]:
        return await self._ledger.write(_BEAT, (process, now, until))

    async def leave(self, process: str) -> None:
        await self._ledger.write(_LEAVE, process)

    async def spend(self, party: str, rate: Rate, count: int, *, now: float) -> float:
        return await self._ledger.write(_SPEND, _Spent(party, rate, count, now))


def peers_of(ledger: Ledger) -> SqlitePeers:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqlitePeers(ledger)


def _beat(connection: sqlite3.Connection, asked: tuple[str, float, float]) -> list[str]:
    process, now, until = asked
    connection.execute("DELETE FROM processes WHERE until <= ?", (now,))
    connection.execute(
        "INSERT INTO processes (name, since, until) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET until = excluded.until",
        (process, now, until),
    )
    return [name for (name,) in connection.execute("SELECT name FROM processes ORDER BY since, name")]


_BEAT: Final = one_by_one(_beat)


def _leave(connection: sqlite3.Connection, process: str) -> None:
    connection.execute("DELETE FROM processes WHERE name = ?", (process,))


_LEAVE: Final = one_by_one(_leave)


@dataclass(frozen=True, slots=True)
class _Spent:
    party: str
    rate: Rate
    count: int
    now: float


def _spend(connection: sqlite3.Connection, spent: _Spent) -> float:
    row = connection.execute("SELECT reached FROM paces WHERE party = ?", (spent.party,)).fetchone()
    reached = spent.rate.spent(0.0 if row is None else row[0], spent.now, spent.count)
    connection.execute("INSERT OR REPLACE INTO paces VALUES (?, ?)", (spent.party, reached))
    return reached


_SPEND: Final = one_by_one(_spend)
