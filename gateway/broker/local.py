"""The bell of one process: announcements merge until somebody asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from gateway.ports.surroundings import NO_DELIVERIES


class LocalBroker:
    """Keeps ``ports.Broker`` within one event loop; announcements cost a set union, whoever waits gets all of them."""

    def __init__(self) -> None:
        self._announced: set[str] = set()
        self._rung = asyncio.Event()

    async def open(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def announce(
        self,
        recipients: frozenset[str],
        deliveries: Mapping[str, Sequence[str]] = NO_DELIVERIES,  # noqa: ARG002 - one process asks the ledger
    ) -> None:
        """Something may be due for these recipients."""
        self.ring(recipients)

    def later(self, recipient: str, delivery: str, seconds: float) -> None:
        """Nothing: the one dispatcher knows from the ledger when the next delivery is due."""

    def ring(self, recipients: frozenset[str]) -> None:
        """Look at these recipients; an empty set just wakes whoever waits."""
        self._announced |= recipients
        self._rung.set()

    async def wait(self, timeout: float) -> frozenset[str]:
        """Recipients announced since the last call; returns empty after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            pass
        announced = frozenset(self._announced)
        self._announced.clear()
        self._rung.clear()
        return announced
