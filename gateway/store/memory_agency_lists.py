"""The reference of ``ports.agency_lists``: lists and proposals in the memory of one process."""

# ruff: noqa: D102 - ports.agency_lists says what each method promises

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from gateway.ports import AuditRow, Ledger
from gateway.ports.agency_lists import KeptList, Proposal, ProposalPhase


class MemoryAgencyLists:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lists: dict[str, KeptList] = {}
        self._bodies: dict[str, bytes] = {}
        self._proposals: dict[int, Proposal] = {}
        self._proposed: dict[int, bytes] = {}

    async def listed(self) -> Sequence[KeptList]:
        return [kept for _, kept in sorted(self._lists.items())]

    async def body(self, source: str, digest: str) -> bytes | None:
        kept = self._lists.get(source)
        return None if kept is None or kept.digest != digest else self._bodies[source]

    async def check(self, source: str, at: float) -> None:
        kept = self._lists.get(source) or KeptList(source, None, 0, None, at)
        self._lists[source] = replace(kept, checked_at=at)

    async def propose(self, proposal: Proposal, packed: bytes, audit: AuditRow) -> Proposal:
        await self.check(proposal.source, proposal.made_at)
        for number, each in self._proposals.items():
            if each.source == proposal.source and each.phase == "waiting":
                if (each.digest, each.base) == (proposal.digest, proposal.base):
                    return each
                self._proposals[number] = replace(each, phase="superseded")
                del self._proposed[number]
        kept = replace(proposal, number=len(self._proposals) + 1, phase="waiting")
        self._proposals[kept.number], self._proposed[kept.number] = kept, packed
        await self._ledger.audit([audit])
        return kept

    async def proposals(self, *, phase: ProposalPhase | None = None, limit: int = 100) -> Sequence[Proposal]:
        return [each for each in reversed(self._proposals.values()) if phase in {None, each.phase}][:limit]

    async def find(self, number: int) -> Proposal | None:
        return self._proposals.get(number)

    async def proposed(self, number: int) -> bytes | None:
        return self._proposed.get(number)

    async def decide(
        self, number: int, phase: Literal["approved", "rejected"], *, by: str, reason: str, audit: AuditRow
    ) -> bool:
        found = self._proposals.get(number)
        if found is None or found.phase != "waiting":
            return False
        kept = self._lists[found.source]
        if phase == "approved":
            if kept.digest != found.base:
                return False
            self._bodies[found.source] = self._proposed[number]
            self._lists[found.source] = replace(kept, digest=found.digest, count=found.count, approved_at=audit.at)
            await self._ledger.change_registry(await self._ledger.registry_version(), put=(), delete=(), audit=[audit])
        else:
            await self._ledger.audit([audit])
        del self._proposed[number]
        self._proposals[number] = replace(found, phase=phase, decided_by=by, decision=reason, decided_at=audit.at)
        return True
