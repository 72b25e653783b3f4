"""The promise of what keeps lists of agencies, and the proposals by which alone they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from gateway.ports.records import AuditRow

#: ``superseded``: a younger proposal for the same source took its place before anybody decided.
ProposalPhase = Literal["waiting", "approved", "rejected", "superseded"]


@dataclass(frozen=True, slots=True)
class KeptList:
    """A source of agencies: the list that is in force, and when the source was last asked or gave a list.

    ``digest`` is None, and ``count`` 0, before the first approval.
    """

    source: str
    digest: str | None
    count: int
    approved_at: float | None
    checked_at: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A list that wants to take the place of ``base`` (None: the source has none yet).

    ``summary`` is a JSON object: what would change (``core.agency_changes``) and what was left out. ``number`` grows.
    """

    source: str
    made_at: float
    made_by: str
    base: str | None
    digest: str
    count: int
    summary: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    phase: ProposalPhase = "waiting"
    decided_by: str | None = None
    decision: str | None = None
    decided_at: float | None = None


class AgencyLists(Protocol):
    """Keeps lists as packed bytes (``core.agency_list``). Each call is one transaction that survives a power cut."""

    async def listed(self) -> Sequence[KeptList]:
        """Every source, by name, also one that was asked but has no list yet. Cheap."""

    async def body(self, source: str, digest: str) -> bytes | None:
        """The packed list of a source, where that is in force still."""

    async def check(self, source: str, at: float) -> None:
        """Remember that a source was asked."""

    async def propose(self, proposal: Proposal, packed: bytes, audit: AuditRow) -> Proposal:
        """Keep a proposal, and that its source was asked at ``made_at``; answers it with its number.

        One of that source that waits already is superseded; where it is for the same digest and base it is answered
        itself, and no audit row is kept.
        """

    async def proposals(self, *, phase: ProposalPhase | None = None, limit: int = 100) -> Sequence[Proposal]:
        """Proposals, in one phase where one is given, the youngest first."""

    async def find(self, number: int) -> Proposal | None:
        """One proposal."""

    async def proposed(self, number: int) -> bytes | None:
        """The packed list of a proposal that waits."""

    async def decide(
        self, number: int, phase: Literal["approved", "rejected"], *, by: str, reason: str, audit: AuditRow
    ) -> bool:
        """Approve or reject what waits, at the moment of the audit row.

        Approved, it is the list in force, and the version of the registry goes up by one. False, and nothing is done,
        where it does not wait, or is approved while the list in force is no longer its ``base``.
        """
