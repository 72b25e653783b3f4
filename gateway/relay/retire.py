"""Taking old things out of the ledger, as long as the province wants them kept: a little at a time, beside all work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.core.retention import CLASSES, Ages
from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.retention import Retention, Retired

#: Rows that one step removes at most, and the pause after it (seconds): the ledger is others' for most of the time.
STEP: Final = 200
PAUSE: Final = 0.05
_DAY: Final = 86400.0

log = structlog.get_logger()


@dataclass(slots=True)
class Retire:
    """The step that one of the processes on a ledger runs every hour."""

    ledger: Ledger
    retention: Retention
    ages: Ages
    clock: Clock
    owner: str
    #: Whether this process does what only one of several should do.
    leads: Callable[[], bool] = lambda: True

    async def once(self) -> None:
        """Remove everything that is old by now; what was removed is told also where it ends halfway."""
        if self.ages.is_for_ever:
            return
        now = self.clock.now()
        done: list[Retired] = []
        try:
            while self.leads():
                after = done[-1].mark if done else None
                done.append(await self.retention.retire(self.ages, now=now, limit=STEP, after=after))
                if done[-1].mark is None:
                    break
                await self.clock.sleep(PAUSE)
        finally:
            if any(each.is_any for each in done):
                await self._tell(done)

    async def _tell(self, done: Sequence[Retired]) -> None:
        details: dict[str, Any] = {
            "bodies": sum(each.bodies for each in done),
            "attempts": sum(each.attempts for each in done),
            "messages": sum(each.messages for each in done),
            "months": [month for each in done for month in each.months],
        }
        log.info("retention.applied", **details)
        days = {name: None if (age := self.ages.of(name)) is None else age / _DAY for name in CLASSES}
        row = AuditRow(self.clock.now(), self.owner, "retention.applied", {**details, "days": days})
        await self.ledger.audit([row])
