"""The processes on one database: their beats, and the paces that they keep together."""

# ruff: noqa: D102 - ports.peers says what each method promises

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.rate import Rate
from gateway.ports import Ledger
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one


class PostgresPeers:
    """Keeps every promise of ``ports.peers.Peers`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def beat(self, process: str, *, now: float, until: float) -> Sequence[str]:
        return await self._ledger.write(_BEAT, (process, now, until))

    async def leave(self, process: str) -> None:
        await self._ledger.write(_LEAVE, process)

    async def spend(self, party: str, rate: Rate, count: int, *, now: float) -> float:
        return await self._ledger.write(_SPEND, (party, now, rate.spent(0.0, 0.0, count)))


def peers_of(ledger: Ledger) -> PostgresPeers:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresPeers(ledger)


async def _beat(connection: Connection, asked: tuple[str, float, float]) -> list[str]:
    await connection.execute("DELETE FROM processes WHERE until <= $1", asked[1])
    await connection.execute(
        "INSERT INTO processes (name, since, until) VALUES ($1, $2, $3)"
        " ON CONFLICT (name) DO UPDATE SET until = excluded.until",
        *asked,
    )
    return [str(name) for (name,) in await connection.fetch("SELECT name FROM processes ORDER BY since, name")]


_BEAT: Final = one_by_one(_beat)


async def _leave(connection: Connection, process: str) -> None:
    await connection.execute("DELETE FROM processes WHERE name = $1", process)


_LEAVE: Final = one_by_one(_leave)


async def _spend(connection: Connection, spent: tuple[str, float, float]) -> float:
    """One statement, so that what others spend at the same moment is waited for and counted."""
    reached = await connection.fetchval(
        "INSERT INTO paces (party, reached) VALUES ($1, $2::float8 + $3::float8)"
        " ON CONFLICT (party) DO UPDATE SET reached = greatest(paces.reached, $2) + $3 RETURNING reached",
        *spent,
    )
    return float(reached)


_SPEND: Final = one_by_one(_spend)
