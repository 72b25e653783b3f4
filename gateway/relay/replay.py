"""Operations on many deliveries, driven a little at a time by whichever gateway holds their lease.

Nothing about an operation is kept in memory but the lease, so a gateway that dies in the middle loses nothing: the next
one takes the lease when it ends, and each delivery is moved in one transaction with its mark in the snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.core.delivery import Delivery, Discarded, Replayed
from gateway.core.directory import Directory
from gateway.core.replay import (
    Act,
    Candidate,
    Finish,
    Phase,
    Send,
    Stop,
    Verb,
    Wait,
    after,
    next_allowed,
    next_move,
    why_not,
)
from gateway.ports import AuditRow, Change, Clock, Ledger
from gateway.ports.failures import Failures
from gateway.ports.replays import Move, Operation, Replays, Turn
from gateway.relay.settle import Origin, Settlement
from gateway.telemetry import log

#: A gateway that died drives nothing any more after this (seconds).
LEASE: Final = 5.0
#: How often leases are renewed, new operations found and the newly dead looked at.
_LOOK_EVERY: Final = 1.0
#: Deliveries moved in one transaction at most: what else wants to write waits no longer than this takes.
_TOGETHER: Final = 100
_LOOKED_AT: Final = 500
_SHORTEST: Final = 0.02


@dataclass(slots=True)
class Replay:
    """The step. ``owner`` names this gateway's process; ``announce`` wakes dispatchers."""

    replays: Replays
    failures: Failures
    ledger: Ledger
    settlement: Settlement
    directory: Callable[[], Directory]
    clock: Clock
    owner: str
    announce: Callable[[frozenset[str]], None]
    _driven: dict[str, Operation] = field(default_factory=dict)
    _look_at: float = 0.0

    async def run(self) -> None:
        """Drive operations until cancelled; never raises for what one round does."""
        while True:
            wait = _LOOK_EVERY
            try:
                wait = await self.once()
            except Exception:  # noqa: BLE001 - a round that fails is told; the next one tries again
                log.exception("step.failed", step="replay")
            await self.clock.sleep(wait)

    async def once(self) -> float:
        """One round over the operations that this gateway drives; answers after how many seconds to come again."""
        now = self.clock.now()
        if now >= self._look_at:
            looked_at = await self.failures.look(limit=_LOOKED_AT)
            leased = await self.replays.lease(self.owner, now=now, until=now + LEASE)
            self._driven = {each.id: each for each in leased}
            self._look_at = now if looked_at == _LOOKED_AT else now + _LOOK_EVERY
        waits = [await self._drive(each) for each in list(self._driven.values())]
        return max(_SHORTEST, min([self._look_at - now, *waits]))

    async def _drive(self, operation: Operation) -> float:
        """Do what is next; answers after how many seconds there may be more to do."""
        now = self.clock.now()
        progress = await self.replays.progress(operation.id, judged=operation.plan.stop_window)
        match next_move(operation.plan, progress, next_at=operation.next_at, now=now):
            case Send(count, since):
                return await self._send(operation, min(count, _TOGETHER), since)
            case Wait(_, until):
                return until - now
            case Stop(failing, judged):
                await self._end(operation, "stop", why=f"{failing}/{judged}")
            case Finish():
                await self._end(operation, "finish")
        return _LOOK_EVERY

    async def _send(self, operation: Operation, count: int, since: float) -> float:
        now = self.clock.now()
        turns = await self.replays.turns(operation.id, count)
        moves = list(await asyncio.gather(*(self._move(operation, turn, now) for turn in turns)))
        moved = sum(move.change is not None for move in moves)
        next_at = next_allowed(operation.plan, since, moved)
        done = await self.replays.move(operation.id, moves, owner=self.owner, next_at=next_at, now=now)
        if done is None:  # paused, cancelled, or another gateway drives it now
            self._driven.pop(operation.id, None)
            return _LOOK_EVERY
        self._driven[operation.id] = replace(operation, next_at=next_at)
        self.announce(frozenset(turn.delivery.recipient for turn in turns))
        return max(0.0, next_at - self.clock.now())

    async def _move(self, operation: Operation, turn: Turn, now: float) -> Move:
        delivery = turn.delivery
        is_known = self.directory().system(delivery.recipient) is not None
        candidate = Candidate(delivery.id, 0, delivery.recipient, delivery.state, delivery.expires, turn.has_body)
        reason = why_not(operation.act, candidate, is_known=is_known, now=now)
        change = None if reason is not None else await self._change(operation.act, delivery, now)
        if change is None:
            return Move(delivery.id, skipped=reason or "body-gone")
        details = {"operation": operation.id, "delivery": delivery.id, "reason": operation.reason}
        event = "delivery.replayed" if operation.act == "replay" else "delivery.discarded"
        return Move(delivery.id, change, AuditRow(now, operation.author, event, details))

    async def _change(self, act: Act, delivery: Delivery, now: float) -> Change | None:
        if act == "replay":
            return Change(delivery, delivery.after(Replayed(now)))
        record = await self.ledger.find(delivery.message)
        if record is None:
            return None
        origin = Origin(record.id, record.digest, record.type, record.recipients)
        return self.settlement.change(delivery, Discarded(), origin, at=now)

    async def _end(self, operation: Operation, verb: Verb, *, why: str | None = None) -> None:
        now = self.clock.now()
        phase = after(Phase.RUNNING, verb)
        ended = replace(operation, phase=phase, why=why, ended_at=now if phase is Phase.DONE else None)
        details: dict[str, Any] = {"operation": operation.id, "counts": dict(await self.replays.counts(operation.id))}
        if why is not None:
            details["failing"] = why
        event = f"{operation.act}.{phase.value}"
        await self.replays.change(Phase.RUNNING, ended, AuditRow(now, self.owner, event, details))
        self._driven.pop(operation.id, None)
        log.info("operation.ended", operation=operation.id, act=operation.act, phase=phase.value, why=why)
