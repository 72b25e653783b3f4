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

    async def draw(self, party: str, rate: Rate, count: int, *, now: float) -> tuple[int, float]:
        """Take ``count`` cells of a party's pace, or as many of them as it allows at ``now``.

        Answers how many were granted and, where not all were, the seconds until the next one would be. However many
        processes draw, they are granted no more together than ``rate`` allows one.
        """
