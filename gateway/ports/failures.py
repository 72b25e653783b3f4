"""The promise of what knows about failures: groups of dead, stuck and held deliveries, and how much waits where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.core.failure import Kind


@dataclass(frozen=True, slots=True)
class Sought:
    """Which failures are meant; what is None does not matter. Moments are ends of last attempts.

    ``contract`` is a name or ``NAME/VERSION``; ``cause`` a class of :mod:`gateway.core.failure`, or ``refused``,
    ``deadline`` or ``attempts``; ``group`` a fingerprint.
    """

    recipient: str | None = None
    contract: str | None = None
    since: float | None = None
    until: float | None = None
    cause: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that failed, or are stuck, alike: how many, since when, and a few of their ids, the newest first."""

    fingerprint: str
    kind: Kind
    recipient: str
    contract: str
    error: str
    cause: str | None
    text: str
    count: int
    first: float
    last: float
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """One delivery of a group. ``at``: the end of its last attempt, or its acceptance where there was none."""

    delivery: str
    message: str
    source: str
    recipient: str
    contract: str
    state: str
    cause: str | None
    error: str
    fingerprint: str
    attempts: int
    at: float
    outcome: str | None
    status: int | None
    detail: str | None


class Failures(Protocol):
    """Answers what an operator asks about failures; however much is delivered, only what is not costs anything."""

    async def look(self, *, limit: int = 1000) -> int:
        """Find out why up to ``limit`` deliveries died that nobody looked at yet; answers how many it were.

        Until looked at, a dead delivery is in no group.
        """

    async def groups(self, sought: Sought, *, now: float, limit: int = 200) -> list[Group]:
        """Groups of dead, stuck and held deliveries, the largest first."""

    async def members(self, sought: Sought, *, now: float, after: str | None = None, limit: int = 100) -> list[Failed]:
        """Deliveries of groups in order of acceptance; ``after`` is the id of the last one already seen."""

    async def backlog(self) -> Mapping[str, Mapping[str, int]]:
        """Recipient -> state -> how many, for the states queued, leased, held, blocked and dead."""
