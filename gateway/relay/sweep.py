"""What time alone brings about: leases that lapsed, messages that expired, outcomes owed, files nobody names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.checkpoints import reach
from gateway.core.delivery import Delivery, Expired, GaveUp
from gateway.core.faults import Busy
from gateway.ports import Change, Clock, Ledger, Spool
from gateway.relay.report import Report
from gateway.relay.settle import Origin, Settlement

#: A file that no message names is forgotten a day after its last byte came.
FILE_GRACE: Final = 86400.0
_FILES_EVERY: Final = 600.0
_REFUSALS_EVERY: Final = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class Sweep:
    """The step that runs every second beside the dispatcher."""

    ledger: Ledger
    spool: Spool
    settlement: Settlement
    report: Report
    clock: Clock
    refusals: Counter[tuple[str, int, str]]
    announce: Callable[[frozenset[str]], None]
    #: Destinations that are down: nobody else looks at what runs out of time there.
    down: Callable[[], frozenset[str]]
    #: Whether this process does what only one of several should do.
    leads: Callable[[], bool] = lambda: True
    _files_at: float = field(default=0.0)
    _refusals_at: float = field(default=0.0)

    async def once(self) -> None:
        """One round over everything that is due."""
        now = self.clock.now()
        lapsed = await self.ledger.lapse(now)
        expired = [*await self.expire(now), *await self.give_up(now)]
        self.announce(frozenset(delivery.recipient for delivery in (*lapsed, *expired)))
        if self.leads():
            await self.report.once()
        if now - self._refusals_at >= _REFUSALS_EVERY:
            self._refusals_at = now
            await self.tell_refusals()
        if now - self._files_at >= _FILES_EVERY and self.leads():
            self._files_at = now
            removed = await self.ledger.sweep_files(now - FILE_GRACE, remove=self.spool.remove)
            if removed:
                log.info("files.swept", count=removed)

    async def expire(self, now: float) -> list[Delivery]:
        """End what ``expirytime`` ends; answers the deliveries that ended."""
        due = await self.ledger.expire(now)
        changes: list[Change] = []
        for delivery in due:
            record = await self.ledger.find(delivery.message)
            if record is None:
                continue
            origin = Origin(record.id, record.digest, record.type, record.recipients)
            changes.append(self.settlement.change(delivery, Expired(), origin, at=now))
        if not changes:
            return []
        reach("sweep.expiring")
        written = await self.ledger.record_many(changes, now=now)
        return [change.after for change, done in zip(changes, written, strict=True) if done]

    async def give_up(self, now: float) -> list[Delivery]:
        """End what ran out of time while its destination is down; answers the deliveries that died."""
        changes: list[Change] = []
        for recipient in sorted(self.down()):
            for delivery in await self.ledger.overdue(recipient, now):
                record = await self.ledger.find(delivery.message)
                if record is not None:
                    origin = Origin(record.id, record.digest, record.type, record.recipients)
                    changes.append(self.settlement.change(delivery, GaveUp("deadline"), origin, at=now))
        written = await self.ledger.record_many(changes, now=now) if changes else []
        return [change.after for change, done in zip(changes, written, strict=True) if done]

    async def tell_refusals(self) -> None:
        """Write the counts of refusals whose signer is not known; raises Busy and keeps them for the next time."""
        if self.refusals:
            counts = dict(self.refusals)
            self.refusals.clear()  # before the ledger is asked: what is counted meanwhile is told next time
            try:
                await self.ledger.count_refusals(counts)
            except Busy:
                self.refusals.update(counts)
                raise
