"""The reference of ``ports.peers``: beats and paces in the memory of one process."""

# ruff: noqa: D102 - ports.peers says what each method promises

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.rate import Rate


class MemoryPeers:
    """Nothing here waits, so each call is one transaction."""

    def __init__(self) -> None:
        #: Process -> (since, until).
        self._living: dict[str, tuple[float, float]] = {}
        self._reached: dict[str, float] = {}

    async def beat(self, process: str, *, now: float, until: float) -> Sequence[str]:
        self._living = {name: times for name, times in self._living.items() if times[1] > now}
        since, _ = self._living.get(process, (now, until))
        self._living[process] = since, until
        return sorted(self._living, key=lambda name: (self._living[name][0], name))

    async def leave(self, process: str) -> None:
        self._living.pop(process, None)

    async def spend(self, party: str, rate: Rate, count: int, *, now: float) -> float:
        self._reached[party] = reached = rate.spent(self._reached.get(party, 0.0), now, count)
        return reached
