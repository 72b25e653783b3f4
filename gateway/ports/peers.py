"""The promise of what the processes on one ledger know of each other: who lives, and what all have used of a pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.core.rate import Rate


class Peers(Protocol):
    """Keeps what processes share beside messages. Each call is one transaction."""

    async def beat(self, process: str, *, now: float, until: float) -> Sequence[str]:
        """``process`` lives until ``until``; answers those that live at ``now``, itself among them, the oldest first.

        One whose time ran out before it beat again counts as new.
        """

    async def leave(self, process: str) -> None:
        """``process`` ends: the others need not wait until its time has run out."""

    async def spend(self, party: str, rate: Rate, count: int, *, now: float) -> float:
        """Tell that a process granted ``count`` cells of a party's pace; answers the number all go on from.

        See :meth:`gateway.core.rate.Rate.spent`; nothing is lost, however many tell at once.
        """
