"""Lists of agencies in the tables; what is approved and the registry's next version are one transaction."""

# ruff: noqa: D102, S608 - ports.agency_lists says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

from gateway.ports import AuditRow, Ledger
from gateway.ports.agency_lists import KeptList, Proposal, ProposalPhase
from gateway.store.sqlite import recording
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one


class SqliteAgencyLists:
    """Keeps every promise of ``ports.agency_lists.AgencyLists`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def listed(self) -> Sequence[KeptList]:
        return await self._ledger.read(listed)

    async def body(self, source: str, digest: str) -> bytes | None:
        return await self._ledger.read(partial(_body, source=source, digest=digest))

    async def check(self, source: str, at: float) -> None:
        await self._ledger.write(CHECK, (source, at))

    async def propose(self, proposal: Proposal, packed: bytes, audit: AuditRow) -> Proposal:
        return await self._ledger.write(PROPOSE, (proposal, packed, audit))

    async def proposals(self, *, phase: ProposalPhase | None = None, limit: int = 100) -> Sequence[Proposal]:
        return await self._ledger.read(partial(proposals, phase=phase, limit=limit))

    async def find(self, number: int) -> Proposal | None:
        return await self._ledger.read(partial(_find, number=number))

    async def proposed(self, number: int) -> bytes | None:
        return await self._ledger.read(partial(_proposed, number=number))

    async def decide(
        self, number: int, phase: Literal["approved", "rejected"], *, by: str, reason: str, audit: AuditRow
    ) -> bool:
        return await self._ledger.write(DECIDE, Decided(number, phase, by, reason, audit))


def agency_lists_of(ledger: Ledger) -> SqliteAgencyLists:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteAgencyLists(ledger)


# ------------------------------------------------------------------------------------------------------------ lists


def listed(connection: sqlite3.Connection) -> list[KeptList]:
    """Every source."""
    asked = "SELECT source, digest, count, approved_at, checked_at FROM agency_lists ORDER BY source"
    return [KeptList(*row) for row in connection.execute(asked)]


def _body(connection: sqlite3.Connection, source: str, digest: str) -> bytes | None:
    asked = "SELECT body FROM agency_lists WHERE source = ? AND digest = ?"
    return _only(connection.execute(asked, (source, digest)).fetchone())


def _only(row: tuple[bytes | None] | None) -> bytes | None:
    return None if row is None else row[0]


def _check(connection: sqlite3.Connection, asked: tuple[str, float]) -> None:
    connection.execute(
        "INSERT INTO agency_lists (source, count, checked_at) VALUES (?, 0, ?)"
        " ON CONFLICT (source) DO UPDATE SET checked_at = excluded.checked_at",
        asked,
    )


#: Remember that a source was asked: (source, at).
CHECK: Final = one_by_one(_check)

# -------------------------------------------------------------------------------------------------------- proposals

_COLUMNS: Final = (
    "source, made_at, made_by, base, digest, count, summary, number, phase, decided_by, decision, decided_at"
)


def _proposal(row: Sequence[Any]) -> Proposal:
    values: list[Any] = [*row[:6], json.loads(row[6]), *row[7:]]
    return Proposal(*values)


def proposals(connection: sqlite3.Connection, phase: ProposalPhase | None, limit: int) -> list[Proposal]:
    """Proposals, the youngest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM agency_proposals {'' if phase is None else 'WHERE phase = :phase'}"
        " ORDER BY number DESC LIMIT :limit",
        {"phase": phase, "limit": limit},
    )
    return [_proposal(row) for row in rows]


def _find(connection: sqlite3.Connection, number: int) -> Proposal | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM agency_proposals WHERE number = ?", (number,)).fetchone()
    return None if row is None else _proposal(row)


def _proposed(connection: sqlite3.Connection, number: int) -> bytes | None:
    return _only(connection.execute("SELECT body FROM agency_proposals WHERE number = ?", (number,)).fetchone())


def _propose(connection: sqlite3.Connection, asked: tuple[Proposal, bytes, AuditRow]) -> Proposal:
    new, packed, audit = asked
    _check(connection, (new.source, new.made_at))
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM agency_proposals WHERE source = ? AND phase = 'waiting'", (new.source,)
    ).fetchone()
    if row is not None:
        waiting = _proposal(row)
        if (waiting.digest, waiting.base) == (new.digest, new.base):
            return waiting
        connection.execute(
            "UPDATE agency_proposals SET phase = 'superseded', body = NULL WHERE number = ?", (waiting.number,)
        )
    summary = json.dumps(new.summary, ensure_ascii=False)
    number = connection.execute(
        "INSERT INTO agency_proposals (source, phase, made_at, made_by, base, digest, count, summary, body)"
        " VALUES (?, 'waiting', ?, ?, ?, ?, ?, ?, ?)",
        (new.source, new.made_at, new.made_by, new.base, new.digest, new.count, summary, packed),
    ).lastrowid
    recording.audit(connection, [audit])
    return replace(new, number=number or 0, phase="waiting")


#: Keep a proposal: (proposal, packed, audit).
PROPOSE: Final = one_by_one(_propose)


@dataclass(frozen=True, slots=True)
class Decided:
    """What :data:`DECIDE` is asked for."""

    number: int
    phase: Literal["approved", "rejected"]
    by: str
    reason: str
    audit: AuditRow


def _decide(connection: sqlite3.Connection, asked: Decided) -> bool:
    found = _find(connection, asked.number)
    if found is None or found.phase != "waiting":
        return False
    at = asked.audit.at
    if asked.phase == "approved":
        written = connection.execute(
            "UPDATE agency_lists SET digest = ?, count = ?, approved_at = ?,"
            " body = (SELECT body FROM agency_proposals WHERE number = ?) WHERE source = ? AND digest IS ?",
            (found.digest, found.count, at, found.number, found.source, found.base),
        ).rowcount
        if written == 0:
            return False
        connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'registry_version'")
    connection.execute(
        "UPDATE agency_proposals SET phase = ?, decided_by = ?, decision = ?, decided_at = ?, body = NULL"
        " WHERE number = ?",
        (asked.phase, asked.by, asked.reason, at, found.number),
    )
    recording.audit(connection, [asked.audit])
    return True


#: Approve or reject what waits.
DECIDE: Final = one_by_one(_decide)
