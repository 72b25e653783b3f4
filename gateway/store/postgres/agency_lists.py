"""Lists of agencies in the tables; what is approved and the registry's next version are one transaction."""

# ruff: noqa: D102, S608 - ports.agency_lists says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

from gateway.ports import AuditRow, Ledger
from gateway.ports.agency_lists import KeptList, Proposal, ProposalPhase
from gateway.store.postgres import recording
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one


class PostgresAgencyLists:
    """Keeps every promise of ``ports.agency_lists.AgencyLists`` in the database of a :class:`PostgresLedger`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def listed(self) -> Sequence[KeptList]:
        return await self._ledger.read(listed)

    async def body(self, source: str, digest: str) -> bytes | None:
        return await self._ledger.read(partial(_body, source=source, digest=digest))

    async def check(self, source: str, at: float) -> None:
        await self._ledger.write(_CHECK, (source, at))

    async def propose(self, proposal: Proposal, packed: bytes, audit: AuditRow) -> Proposal:
        return await self._ledger.write(_PROPOSE, (proposal, packed, audit))

    async def proposals(self, *, phase: ProposalPhase | None = None, limit: int = 100) -> Sequence[Proposal]:
        return await self._ledger.read(partial(proposals, phase=phase, limit=limit))

    async def find(self, number: int) -> Proposal | None:
        return await self._ledger.read(partial(_find, number=number))

    async def proposed(self, number: int) -> bytes | None:
        return await self._ledger.read(partial(_proposed, number=number))

    async def decide(
        self, number: int, phase: Literal["approved", "rejected"], *, by: str, reason: str, audit: AuditRow
    ) -> bool:
        return await self._ledger.write(_DECIDE, _Decided(number, phase, by, reason, audit))


def agency_lists_of(ledger: Ledger) -> PostgresAgencyLists:
    """What lies in the database of a ledger beside it; raises TypeError for one that is no :class:`PostgresLedger`."""
    if not isinstance(ledger, PostgresLedger):
        raise TypeError("not a ledger of this store")
    return PostgresAgencyLists(ledger)


# ------------------------------------------------------------------------------------------------------------ lists


async def listed(connection: Connection) -> list[KeptList]:
    """Every source."""
    asked = "SELECT source, digest, count, approved_at, checked_at FROM agency_lists ORDER BY source"
    return [KeptList(*row) for row in await connection.fetch(asked)]


async def _body(connection: Connection, source: str, digest: str) -> bytes | None:
    asked = "SELECT body FROM agency_lists WHERE source = $1 AND digest = $2"
    found: bytes | None = await connection.fetchval(asked, source, digest)
    return found


async def _check(connection: Connection, asked: tuple[str, float]) -> None:
    await connection.execute(
        "INSERT INTO agency_lists (source, count, checked_at) VALUES ($1, 0, $2)"
        " ON CONFLICT (source) DO UPDATE SET checked_at = excluded.checked_at",
        *asked,
    )


_CHECK: Final = one_by_one(_check)

# -------------------------------------------------------------------------------------------------------- proposals

_COLUMNS: Final = (
    "source, made_at, made_by, base, digest, count, summary, number, phase, decided_by, decision, decided_at"
)


def _proposal(row: Sequence[Any]) -> Proposal:
    values: list[Any] = [*row[:6], json.loads(row[6]), *row[7:]]
    return Proposal(*values)


async def proposals(connection: Connection, phase: ProposalPhase | None, limit: int) -> list[Proposal]:
    """Proposals, the youngest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM agency_proposals WHERE $1::text IS NULL OR phase = $1 ORDER BY number DESC LIMIT $2",
        phase,
        limit,
    )
    return [_proposal(row) for row in rows]


async def _find(connection: Connection, number: int) -> Proposal | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM agency_proposals WHERE number = $1", number)
    return None if row is None else _proposal(row)


async def _proposed(connection: Connection, number: int) -> bytes | None:
    found: bytes | None = await connection.fetchval("SELECT body FROM agency_proposals WHERE number = $1", number)
    return found


async def _propose(connection: Connection, asked: tuple[Proposal, bytes, AuditRow]) -> Proposal:
    new, packed, audit = asked
    # The row of the source is written first: who proposes for it at the same time waits here.
    await _check(connection, (new.source, new.made_at))
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM agency_proposals WHERE source = $1 AND phase = 'waiting' FOR UPDATE", new.source
    )
    if row is not None:
        waiting = _proposal(row)
        if (waiting.digest, waiting.base) == (new.digest, new.base):
            return waiting
        await connection.execute(
            "UPDATE agency_proposals SET phase = 'superseded', body = NULL WHERE number = $1", waiting.number
        )
    number = await connection.fetchval(
        "INSERT INTO agency_proposals (source, phase, made_at, made_by, base, digest, count, summary, body)"
        " VALUES ($1, 'waiting', $2, $3, $4, $5, $6, $7, $8) RETURNING number",
        new.source, new.made_at, new.made_by, new.base, new.digest, new.count,
        json.dumps(new.summary, ensure_ascii=False), packed,
    )  # fmt: skip
    await recording.audit(connection, [audit])
    return replace(new, number=number, phase="waiting")


_PROPOSE: Final = one_by_one(_propose)


@dataclass(frozen=True, slots=True)
class _Decided:
    number: int
    phase: Literal["approved", "rejected"]
    by: str
    reason: str
    audit: AuditRow


async def _decide(connection: Connection, asked: _Decided) -> bool:
    # In the order in which a proposal takes its locks: the source, then what waits for it.
    source = await connection.fetchval("SELECT source FROM agency_proposals WHERE number = $1", asked.number)
    base = await connection.fetchrow("SELECT digest FROM agency_lists WHERE source = $1 FOR UPDATE", source)
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM agency_proposals WHERE number = $1 FOR UPDATE", asked.number
    )
    found = None if row is None else _proposal(row)
    if found is None or base is None or found.phase != "waiting":
        return False
    at = asked.audit.at
    if asked.phase == "approved":
        if base[0] != found.base:
            return False
        await connection.execute(
            "UPDATE agency_lists SET digest = $1, count = $2, approved_at = $3,"
            " body = (SELECT body FROM agency_proposals WHERE number = $4) WHERE source = $5",
            found.digest, found.count, at, found.number, found.source,
        )  # fmt: skip
        await connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'registry_version'")
    await connection.execute(
        "UPDATE agency_proposals SET phase = $1, decided_by = $2, decision = $3, decided_at = $4, body = NULL"
        " WHERE number = $5",
        asked.phase, asked.by, asked.reason, at, found.number,
    )  # fmt: skip
    await recording.audit(connection, [asked.audit])
    return True


_DECIDE: Final = one_by_one(_decide)
