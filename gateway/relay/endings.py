"""What came of tries, written together: all that ended in one moment is one transaction, then is told one by one.

While the ledger is away, what came of them is kept and written when it is back, as long as their leases run: a
recipient need not see again what it took, nor its lane wait for the lease to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from prometheus_client import Counter as Metric

from gateway.checkpoints import reach
from gateway.core.delivery import State
from gateway.core.faults import Busy, DestinationGone
from gateway.ports import AuditRow, Broker, Clock, Ledger
from gateway.relay.attempt import Tried
from gateway.relay.outage import Outages
from gateway.telemetry import ATTEMPT_SECONDS, ATTEMPTS, log

#: Steps in one transaction at most: others want to write, too.
_MOST: Final = 128
#: A group of so many shows that much ends: the next one is given time to gather, so long (seconds).
_MANY: Final = 8
_GATHER: Final = 0.004
#: How soon the ledger is asked again that was away (seconds).
AGAIN: Final = 0.25


@lru_cache(maxsize=4096)
def _counter(recipient: str, outcome: str) -> Metric:
    return ATTEMPTS.labels(recipient, outcome)


@dataclass(slots=True)
class Endings:
    """One writer of ends; while it writes, what ends meanwhile gathers.

    ``on_written`` hears of everything that was added, written or not: it is no longer under way.
    """

    ledger: Ledger
    broker: Broker
    outages: Outages
    clock: Clock
    owner: str
    on_written: Callable[[Sequence[Tried]], None]
    _gathered: list[Tried] = field(default_factory=list)
    _last: int = 0
    _task: asyncio.Task[None] | None = None

    def add(self, tried: Tried) -> None:
        """Write it soon."""
        self._gathered.append(tried)
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The writing, while there is something to write."""
        return self._task

    async def _write_all(self) -> None:
        while self._gathered:
            if self._last >= _MANY:
                await asyncio.sleep(_GATHER)
            group, self._gathered = self._gathered[:_MOST], self._gathered[_MOST:]
            try:
                await self._write_or_tell(group)
            finally:
                self._last = len(group)
                self.on_written(group)
        self._task = None

    async def _write_or_tell(self, group: Sequence[Tried]) -> None:
        """Write the ends of a group; while the ledger is away, again and again for as long as their leases run."""
        while group:
            try:
                await self._write(group)
            except Busy:
                now = self.clock.now()
                for tried in group:
                    if _until(tried) <= now:
                        _tell_lost(tried)
                group = [tried for tried in group if _until(tried) > now]
                await asyncio.sleep(AGAIN)
            except Exception:  # noqa: BLE001 - one that cannot be written must not spoil the others
                if len(group) == 1:
                    _tell_lost(group[0])
                    return
                for tried in group:
                    await self._write_or_tell([tried])
                return
            else:
                await self._follow_all(group)
                return

    async def _write(self, group: Sequence[Tried]) -> None:
        for tried in group:
            if isinstance(tried.failure, DestinationGone):
                await self._hold(tried)
        latest = max(tried.attempt.ended_at for tried in group)
        written = await self.ledger.record_many([tried.change for tried in group], now=latest)
        reach("dispatch.recorded")
        for tried, is_written in zip(group, written, strict=True):
            _tell(tried, is_written=is_written)

    async def _follow_all(self, group: Sequence[Tried]) -> None:
        for tried in group:
            try:
                await self._follow(tried)
            except Exception:  # noqa: BLE001 - the next end says the same about the destination
                log.exception("step.failed", step="outage", agency=tried.claim.delivery.recipient)

    async def _hold(self, tried: Tried) -> None:
        now, recipient = self.clock.now(), tried.claim.delivery.recipient
        reason = "the destination answered 410 Gone"
        details = {"recipient": recipient, "reason": reason, "delivery": tried.claim.delivery.id}
        await self.ledger.hold(recipient, at=now, audit=AuditRow(now, self.owner, "destination.held", details))
        log.warning(
            "destination.held", agency=recipient, delivery_id=tried.claim.delivery.id, message_id=tried.claim.id
        )

    async def _follow(self, tried: Tried) -> None:
        """What the end says about the destination."""
        after, failure = tried.change.after, tried.failure
        if tried.is_unasked:
            self.broker.later(after.recipient, after.id, after.due - tried.attempt.ended_at)
        elif failure is None:
            await self.outages.answered(after.recipient)
        elif not isinstance(failure, DestinationGone):
            ended = tried.attempt.ended_at
            if after.state is State.QUEUED:
                self.broker.later(after.recipient, after.id, after.due - ended)
            await self.outages.failed(after, ended, is_error=failure.status is not None)


def _until(tried: Tried) -> float:
    """The end of its lease."""
    return tried.claim.delivery.lease_until or 0.0


def _tell_lost(tried: Tried) -> None:
    """The lease ends and the delivery is due again: nothing is lost, but somebody must look."""
    claim = tried.claim
    log.exception("store.failed", step="dispatch", delivery_id=claim.delivery.id, message_id=claim.id)


def _tell(tried: Tried, *, is_written: bool) -> None:
    """The one line about an attempt, and its counters."""
    claim, attempt = tried.claim, tried.attempt
    seconds = attempt.ended_at - attempt.started_at
    _counter(claim.delivery.recipient, attempt.outcome).inc()
    ATTEMPT_SECONDS.observe(seconds)
    log.info(
        "delivery.attempted",
        message_id=claim.id,
        delivery_id=claim.delivery.id,
        agency=claim.delivery.recipient,
        number=attempt.number,
        outcome=attempt.outcome,
        state=tried.change.after.state.value,
        status=attempt.status,
        detail=attempt.detail,
        took_ms=round(seconds * 1000),
        written=is_written,
    )
