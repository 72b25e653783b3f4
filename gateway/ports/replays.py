"""The promise of what keeps operations: snapshots, phases, leases, and what became of each delivery, once for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.core.delivery import Delivery
from gateway.core.replay import Act, Candidate, Phase, Plan, Progress
from gateway.ports.failures import Sought
from gateway.ports.records import AuditRow, Change

#: ``waiting``: not yet its turn. ``skipped``: could not be done any more. ``sent``: on its way. ``held``: its
#: destination is on hold. ``failing``: tried again by the usual rules. ``delivered``, ``failed`` (dead again),
#: ``expired``, ``discarded``: ended.
Outcome = Literal["waiting", "skipped", "sent", "held", "failing", "delivered", "failed", "expired", "discarded"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A replay or discard of many deliveries. ``created_at`` is the cut-off of its snapshot of ``total`` deliveries.

    ``left_out``: reason -> how many that were meant could not be in it. ``is_held``: how many are for destinations on
    hold. ``why``: what it stopped for. ``next_at``, ``judged_after``: see :mod:`gateway.core.replay`.
    """

    id: str
    act: Act
    phase: Phase
    sought: Sought
    named: int
    plan: Plan
    reason: str
    author: str
    total: int
    created_at: float
    left_out: Mapping[str, int] = field(default_factory=dict)
    is_held: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    why: str | None = None
    next_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """One delivery of an operation: what became of it and, where it was skipped, why."""

    delivery: str
    recipient: str
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A delivery whose turn it is, as it is now."""

    delivery: Delivery
    has_body: bool


@dataclass(frozen=True, slots=True)
class Move:
    """What to do with one delivery of an operation: a step with its audit row, or skip it for a reason."""

    delivery: str
    change: Change | None = None
    audit: AuditRow | None = None
    skipped: str | None = None


class Replays(Protocol):
    """Keeps operations. Each call is one transaction; what it did survives a power cut."""

    async def candidates(self, sought: Sought, named: Sequence[str] | None, *, now: float) -> list[Candidate]:
        """Deliveries meant by a filter, or by name, in order of acceptance.

        A filter means dead deliveries that ``Failures.look`` has seen; with a group, the stuck ones of that group too.
        A name is the id of a delivery, or of a message for all its deliveries. With ``named`` the filter does not
        matter; unknown names are left out.
        """

    async def plan(self, operation: Operation, places: Sequence[int], audit: AuditRow) -> None:
        """Keep a new operation and its snapshot, by places of candidates, all of them waiting, with its audit row."""

    async def find(self, id: str) -> Operation | None:
        """One operation."""

    async def listed(self, *, limit: int = 50) -> list[Operation]:
        """Operations, the youngest first."""

    async def counts(self, id: str) -> dict[Outcome, int]:
        """How many deliveries of an operation had which outcome; true at every moment, also after its end."""

    async def items(
        self, id: str, *, outcome: Outcome | None = None, after: str | None = None, limit: int = 100
    ) -> list[Item]:
        """Deliveries of an operation in order of acceptance, after the delivery ``after``."""

    async def change(self, before: Phase, operation: Operation, audit: AuditRow) -> bool:
        """Write phase, moments and ``why`` of an operation where its phase still is ``before``; says whether it was.

        To ``running``: what was judged before no longer counts for the stop rule.
        """

    async def lease(self, owner: str, *, now: float, until: float) -> list[Operation]:
        """Running operations that nobody else drives at ``now``, driven by ``owner`` from now until ``until``."""

    async def progress(self, id: str, *, judged: int) -> Progress:
        """How far an operation is: ``waiting`` and ``moved`` counted to 1000 at least, ``recent`` to ``judged``."""

    async def turns(self, id: str, limit: int) -> list[Turn]:
        """The deliveries whose turn is next, in order of acceptance."""

    async def move(
        self, id: str, moves: Sequence[Move], *, owner: str, next_at: float, now: float
    ) -> list[bool] | None:
        """Do the moves of deliveries that still wait, with their audit rows; says which were done. Keeps ``next_at``.

        None, and nothing is done, where the operation is not running or ``owner`` does not drive it. One whose
        delivery is no longer as ``change.before`` waits on; any other is done once, whatever crashes.
        """
