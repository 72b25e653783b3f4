"""Approved requests of late subscribers, driven slice by slice by whichever gateway holds their lease.

A slice is judged by the rules of that moment, then kept in one transaction with the place it reached: a gateway that
dies in the middle loses nothing and makes nothing twice. Where much waits for the system already, a slice waits too,
so that what is sent today is not held up by what was missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.checkpoints import reach
from gateway.core.backfill import OVER, Phase, Verb, after
from gateway.core.contract import Catalog
from gateway.core.directory import Directory
from gateway.ports import AuditRow, Clock
from gateway.ports.backfills import Backfills, Made, Request
from gateway.relay.requests import late_of
from gateway.telemetry import log

#: A gateway that died drives nothing any more after this (seconds).
LEASE: Final = 5.0
#: How often leases are renewed and newly approved requests found (seconds).
_LOOK_EVERY: Final = 1.0
#: Messages judged and kept in one transaction: what else wants to write waits no longer than this takes.
SLICE: Final = 100
#: So many queued deliveries for a system hold back further slices for it.
ENOUGH_WAITING: Final = 500
_SHORTEST: Final = 0.02


@dataclass(slots=True)
class Backfill:
    """The step. ``owner`` names this gateway's process; ``announce`` wakes dispatchers.

    ``pulling``: adapters whose recipients fetch for themselves, so the bus never gives up on what waits for them.
    """

    backfills: Backfills
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    pulling: frozenset[str]
    clock: Clock
    owner: str
    announce: Callable[[frozenset[str]], None]
    slice_size: int = SLICE
    enough_waiting: int = ENOUGH_WAITING
    _driven: dict[str, Request] = field(default_factory=dict)
    _look_at: float = 0.0

    async def run(self) -> None:
        """Drive requests until cancelled; never raises for what one round does."""
        while True:
            wait = _LOOK_EVERY
            try:
                wait = await self.once()
            except Exception:  # noqa: BLE001 - a round that fails is told; the next one tries again
                log.exception("step.failed", step="backfill")
            await self.clock.sleep(wait)

    async def once(self) -> float:
        """One slice of each request that this gateway drives; answers after how many seconds to come again."""
        now = self.clock.now()
        if not self._look_at - _LOOK_EVERY <= now < self._look_at:  # a clock set back makes nobody wait
            leased = await self.backfills.lease(self.owner, now=now, until=now + LEASE)
            self._driven = {each.id: each for each in leased}
            self._look_at = now + _LOOK_EVERY
        waits = [await self._drive(each) for each in list(self._driven.values())]
        return max(_SHORTEST, min([self._look_at - now, *waits]))

    async def _drive(self, request: Request) -> float:
        """Do one slice; answers after how many seconds there may be more to do."""
        if request.phase is Phase.APPROVED:
            return await self._turn(request, "start", "request.started")
        directory = self.directory()
        late = late_of(request, directory, self.catalog(), pulling=self.pulling)
        if late is None:
            return await self._turn(request, "cancel", "request.cancelled", why="no-subscriber")
        if request.reached >= request.last:
            return await self._turn(request, "finish", "request.done")
        if await self.backfills.waiting(request.system, most=self.enough_waiting) >= self.enough_waiting:
            return _LOOK_EVERY
        piece = await self.backfills.missed(request, after=request.reached, limit=self.slice_size)
        now = self.clock.now()
        deliveries, left_out = await asyncio.to_thread(late.weigh, piece.found, now)
        reach("backfill.judged")
        details = {"request": request.id, "to": piece.end, "deliveries": len(deliveries), "left_out": dict(left_out)}
        row = AuditRow(now, self.owner, "request.slice", details)
        if not await self.backfills.make(
            request, Made(piece, deliveries, left_out), owner=self.owner, audit=row, now=now
        ):
            return self._let_go(request)  # cancelled, or another gateway drives it now
        reach("backfill.made")
        self.announce(frozenset({request.system}))
        self._driven[request.id] = replace(request, reached=piece.end)
        return 0.0

    async def _turn(self, request: Request, verb: Verb, event: str, *, why: str | None = None) -> float:
        """Bring a request to its next phase, with its counts where that is the end."""
        kept = await self.backfills.find(request.id)
        if kept is None or kept.phase is not request.phase:
            return self._let_go(request)
        now = self.clock.now()
        phase = after(kept.phase, verb)
        turned = replace(kept, phase=phase, ended_at=now if phase in OVER else None)
        details: dict[str, Any] = {"request": request.id}
        if phase in OVER:
            details |= {"deliveries": kept.made, "left_out": dict(kept.left_out)}
            log.info("request.ended", request=request.id, phase=phase.value, deliveries=kept.made)
        if why is not None:
            details["why"] = why
            turned = replace(turned, decided_by=self.owner, decision=why, decided_at=now)
        is_turned = await self.backfills.change(kept.phase, turned, AuditRow(now, self.owner, event, details))
        if not is_turned or phase in OVER:
            return self._let_go(request)
        self._driven[request.id] = turned
        return 0.0

    def _let_go(self, request: Request) -> float:
        """Drive it no more, until a lease says otherwise."""
        self._driven.pop(request.id, None)
        return _LOOK_EVERY
