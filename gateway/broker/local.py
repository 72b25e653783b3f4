"""The bell of one process: announcements merge until somebody asks for them."""

from __future__ import annotations

import asyncio


class LocalBroker:
    """Keeps ``ports.Broker`` within one event loop; announcements cost a set union, whoever waits gets all of them."""

    def __init__(self) -> None:
        self._announced: set[str] = set()
        self._rung = asyncio.Event()

    def announce(self, recipients: frozenset[str]) -> None:
        """Something may be due for these recipients; an empty set just wakes whoever waits."""
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
