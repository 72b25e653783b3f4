"""The reference of ``ports.retention``: what is old leaves the memory of one process, all of it by one call."""

# ruff: noqa: ARG002, D102 - ports.retention says what each method promises; all goes in one step here

from __future__ import annotations

from typing import Protocol

from gateway.core.retention import Ages
from gateway.ports.retention import Mark, Retired


class Fading(Protocol):
    """A ledger in memory that can forget what was kept up to a moment, see ``store.memory``; answers how much."""

    def strip(self, until: float) -> int:
        """The data of messages."""

    def trim(self, until: float) -> int:
        """Attempts."""

    def forget(self, until: float) -> int:
        """Messages, but for what a repeat is."""


class MemoryRetention:
    """Nothing here waits, so each call is one transaction."""

    def __init__(self, ledger: Fading) -> None:
        self._ledger = ledger

    async def retire(self, ages: Ages, *, now: float, limit: int, after: Mark | None = None) -> Retired:
        return Retired(
            bodies=0 if ages.data is None else self._ledger.strip(now - ages.data),
            attempts=0 if ages.attempts is None else self._ledger.trim(now - ages.attempts),
            messages=0 if ages.metadata is None else self._ledger.forget(now - ages.metadata),
        )
