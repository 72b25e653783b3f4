"""Statuses of documents that never came: they wait for a while, then it is told that nobody waits any longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from gateway.ports import AuditRow, Clock
from gateway.ports.documents import Register, Registered

#: Statuses looked at in one go.
_MANY: Final = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The step that the leader runs: gives up what has waited for ``wait`` seconds. Its document finds it even so."""

    register: Register
    clock: Clock
    wait: float
    owner: str

    async def once(self) -> int:
        """Give up what has waited for too long; answers how many statuses."""
        count = 0
        while True:
            now = self.clock.now()
            found = await self.register.parked(limit=_MANY)
            late = [line for line in found if line.accepted_at + self.wait <= now]
            if not late:
                return count
            rows = [AuditRow(now, self.owner, "status.unmatched", _told(line)) for line in late]
            if not await self.register.unpark([line.place for line in late], rows):
                return count  # one of them found its document at this very moment; the next round sees the others
            for line in late:
                log.warning("status.unmatched", message_id=line.message, agency=line.entry.reporter, **_named(line))
            count += len(late)


def _named(line: Registered) -> dict[str, str]:
    return {"document": line.entry.key, "issuer": line.entry.issuer, "status": line.entry.code}


def _told(line: Registered) -> dict[str, str]:
    return {"id": line.message, "reporter": line.entry.reporter, **_named(line)}
