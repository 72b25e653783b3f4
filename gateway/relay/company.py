"""The processes on one ledger: each says that it lives, and the oldest does what only one should do.

Nothing depends on there being exactly one: whatever it does may be done twice without harm, as while a process that
was thought dead comes back. It only spares the agencies and the ledger from being asked by everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.ports import Clock
from gateway.ports.peers import Peers

#: How often a process says that it lives, and how long that holds (seconds).
BEAT: Final = 2.0
LIFE: Final = 8.0


@dataclass(slots=True)
class Company:
    """What one process knows of the others; ``peers`` is None where it is alone by its settings."""

    process: str
    clock: Clock
    peers: Peers | None = None
    _leads_until: float = field(default=0.0)

    async def beat(self) -> None:
        """Say that this process lives, and see who else does."""
        if self.peers is None:
            return
        now = self.clock.now()
        living = await self.peers.beat(self.process, now=now, until=now + LIFE)
        self._leads_until = now + LIFE if living[0] == self.process else 0.0

    async def leave(self) -> None:
        """Let the next oldest take over at once."""
        self._leads_until = 0.0
        if self.peers is not None:
            await self.peers.leave(self.process)

    def leads(self) -> bool:
        """Whether this process does what only one should do."""
        return self.peers is None or self.clock.now() < self._leads_until
