"""The back half: claim what is due, translate where needed, hand over, record what came of it.

Failure policy in words. Whatever an adapter raises is temporary, unless it says *permanent*. A temporary
failure is tried again by the subscription's retry policy until its patience ends; a permanent one makes the
delivery dead at once, and its lane waits for an operator. "Gone" (HTTP 410) puts the destination on hold.
A lease outlives the longest attempt; a process that starts takes back its own, so what a crash interrupted
is due again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from prometheus_client import Counter as Metric

from gateway.checkpoints import reach
from gateway.core.agreement import Subscription
from gateway.core.breaker import FULL_WIDTH
from gateway.core.delivery import Deferred, Delivered, Delivery, GaveUp, Refused, Signal, State
from gateway.core.directory import Directory, System
from gateway.core.envelope import digest_of
from gateway.core.faults import DestinationGone, PermanentFailure, TimedOut, TransientFailure
from gateway.core.retry import Never, RetryPolicy, next_step
from gateway.ports import Adapter, Attempt, AttemptOutcome, AuditRow, Broker, Claim, Clock, HandedOver, Ledger, Parcel
from gateway.relay.outage import Outages
from gateway.relay.proof import Proofs
from gateway.relay.settle import Origin, Settlement
from gateway.relay.translate import Rendered, Translate
from gateway.telemetry import ATTEMPT_SECONDS, ATTEMPTS, log

#: One attempt may take this long (seconds); the lease is longer, so nobody else tries meanwhile.
ATTEMPT_LIMIT: Final = 22.0
LEASE: Final = 28.0
#: The ledger is asked at least this often (seconds), whatever the broker says.
TICK: Final = 1.0
MAX_DETAIL: Final = 500


@lru_cache(maxsize=4096)
def _counter(recipient: str, outcome: str) -> Metric:
    return ATTEMPTS.labels(recipient, outcome)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How one attempt ended: for its row, its receipt and its log line."""

    outcome: AttemptOutcome
    status: int | None = None
    detail: str | None = None
    delivered_digest: str | None = None
    proof: bytes | None = None


@dataclass(slots=True)
class Dispatch:
    """One dispatcher; several may run on one ledger. ``concurrency`` is per destination."""

    ledger: Ledger
    broker: Broker
    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    is_pushed: Callable[[System], bool]
    translate: Translate
    settlement: Settlement
    proofs: Proofs
    outages: Outages
    clock: Clock
    owner: str
    on_announced: Callable[[frozenset[str]], None]
    concurrency: int = FULL_WIDTH
    #: The moment at which to look at all recipients again, whatever is announced.
    _look_at: float = 0.0
    _busy: Counter[str] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: bool = False

    async def run(self) -> None:
        """Work until :meth:`drain`; never raises for what one delivery or one ledger call does."""
        is_begun = False
        announced: frozenset[str] = frozenset()
        while not self._stopping:
            wait = TICK
            try:
                if not is_begun:
                    await self.ledger.lapse(self.clock.now(), owner=self.owner)
                    await self.outages.load()
                    is_begun = True
                wait = await self._round(announced)
            except Exception:  # noqa: BLE001 - a round that fails is told; the next one tries again
                log.exception("step.failed", step="dispatch")
            if not self._stopping:
                announced = await self.broker.wait(wait)
                self.on_announced(announced)

    async def _round(self, announced: frozenset[str] = frozenset()) -> float:
        """Claim and start what is due; answers how long to wait for the next round.

        Between two looks at all recipients only those that were announced are asked for: where much is announced,
        looking each time would cost more than claiming.
        """
        now = self.clock.now()
        due = announced
        if not announced or now >= self._look_at:
            due, following = await self.ledger.due(now)
            self._look_at = now + TICK if following is None else max(now, min(now + TICK, following))
            self.on_announced(due)
        directory = self.directory()
        room = {name: self._room(name) for name in due if self._is_mine(name, directory)}
        wanted = {name: free for name, free in room.items() if free > 0}
        probers = self.outages.probers(now, self._busy)
        if wanted or probers:
            claims = await self.ledger.claim(
                wanted, owner=self.owner, now=now, until=now + LEASE, probers=tuple(probers.values())
            )
            reach("dispatch.claimed")
            for claim in claims:
                self._start(claim)
            claimed = {claim.delivery.id for claim in claims}
            for recipient, prober in probers.items():
                if prober not in claimed:
                    await self.outages.gone(recipient)
        probe = self.outages.next_probe()
        nexts = (self._look_at, self._look_at if probe is None else probe)
        return min([TICK, *(max(0.0, each - self.clock.now()) for each in nexts if each > now)])

    def _room(self, name: str) -> int:
        busy = self._busy[name]
        return min(self.outages.room(name, busy), self.concurrency - busy)

    def _is_mine(self, name: str, directory: Directory) -> bool:
        system = directory.system(name)
        return system is None or self.is_pushed(system)

    def _start(self, claim: Claim) -> None:
        self._busy[claim.delivery.recipient] += 1
        task = asyncio.create_task(self._work(claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, claim: Claim) -> None:
        recipient = claim.delivery.recipient
        try:
            await self.attempt(claim)
        except Exception:  # noqa: BLE001 - as above
            # The lease ends and the delivery is due again: nothing is lost, but somebody must look.
            log.exception("store.failed", step="dispatch", delivery_id=claim.delivery.id, message_id=claim.id)
        finally:
            self._busy[recipient] -= 1
            if not self._busy[recipient]:
                del self._busy[recipient]
            self.broker.ring(frozenset({recipient}))

    async def attempt(self, claim: Claim) -> None:
        """One try of one delivery, from translation to the recorded step."""
        started = self.clock.now()
        system = self.directory().system(claim.delivery.recipient)
        try:
            if system is None:
                raise TransientFailure("the system is no longer registered")
            wish = system.subscriptions.get(claim.type) or Subscription(claim.type, claim.version)
            rendered = await self.translate.render(claim, wish.version)
            reach("dispatch.rendered")
            parcel = self._parcel(claim, system, wish, rendered)
            async with asyncio.timeout(ATTEMPT_LIMIT):
                handed = await self.adapter_of(system).deliver(parcel)
            reach("dispatch.handed-over")
        except PermanentFailure as failure:
            await self._record(claim, Refused(), started, _Ending("refused", failure.status, failure.detail))
            await self.outages.answered(claim.delivery.recipient)
        except DestinationGone as failure:
            await self._hold(claim, started, failure)
        except TimeoutError:
            await self._again(claim, system, started, TimedOut("no answer in time"))
        except TransientFailure as failure:
            await self._again(claim, system, started, failure)
        except Exception as error:  # noqa: BLE001 - whatever is unforeseen is temporary
            log.exception("adapter.failed", delivery_id=claim.delivery.id, agency=claim.delivery.recipient)
            await self._again(claim, system, started, TransientFailure(f"unforeseen: {type(error).__name__}"))
        else:
            await self._taken(claim, parcel, handed, started)

    def _parcel(self, claim: Claim, system: System, wish: Subscription, rendered: Rendered) -> Parcel:
        return Parcel(
            delivery=claim.delivery.id,
            message=claim.id,
            attempt=claim.delivery.attempts + 1,
            recipient=system,
            body=rendered.body(wish.format),
            event=rendered.event,
            format=wish.format,
            is_translated=rendered.is_translated,
        )

    async def _taken(self, claim: Claim, parcel: Parcel, handed: HandedOver, started: float) -> None:
        is_original = parcel.body == claim.envelope
        digest = f"sha-256:{claim.digest}" if is_original else digest_of(parcel.body)
        proof: bytes | None = None
        if handed.receipt:
            ids = {claim.id, str(parcel.event["id"])}
            proof = self.proofs.checked(handed.receipt, parcel.recipient, claim.delivery, ids, digest)
        delivered_digest = None if is_original else digest
        ending = _Ending("taken", handed.status, None, delivered_digest, proof)
        await self._record(claim, Delivered(), started, ending)
        await self.outages.answered(claim.delivery.recipient)

    async def _again(self, claim: Claim, system: System | None, started: float, failure: TransientFailure) -> None:
        now = self.clock.now()
        delivery = claim.delivery
        wish = None if system is None else system.subscriptions.get(claim.type)
        policy = RetryPolicy() if wish is None else wish.retry
        step = next_step(
            policy,
            attempt=delivery.attempts + 1 - delivery.spent,
            now=now,
            deadline=now + policy.deadline if delivery.deadline is None else delivery.deadline,
            chance=self.clock.chance(),
            wish=failure.retry_after,
        )
        signal = GaveUp(step.cause) if isinstance(step, Never) else Deferred(step.due)
        outcome: AttemptOutcome = "timeout" if isinstance(failure, TimedOut) else "failed"
        after = await self._record(claim, signal, started, _Ending(outcome, failure.status, failure.detail))
        self._look_at = min(self._look_at, after.due)
        if after.state is State.QUEUED:
            self.broker.later(delivery.recipient, delivery.id, after.due - now)
        await self.outages.failed(after, now, is_error=failure.status is not None)

    async def _hold(self, claim: Claim, started: float, failure: DestinationGone) -> None:
        """The far side asked for no more: nothing is lost, an operator must speak with the agency."""
        now = self.clock.now()
        recipient = claim.delivery.recipient
        details = {"recipient": recipient, "reason": "the destination answered 410 Gone", "delivery": claim.delivery.id}
        await self.ledger.hold(recipient, at=now, audit=AuditRow(now, self.owner, "destination.held", details))
        log.warning("destination.held", agency=recipient, delivery_id=claim.delivery.id, message_id=claim.id)
        await self._record(claim, Deferred(now), started, _Ending("failed", failure.status, failure.detail))

    async def _record(self, claim: Claim, signal: Signal, started: float, ending: _Ending) -> Delivery:
        ended = max(self.clock.now(), started)
        detail = None if ending.detail is None else ending.detail[:MAX_DETAIL]
        attempt = Attempt(claim.delivery.attempts + 1, started, ended, ending.outcome, ending.status, detail)
        change = self.settlement.change(
            claim.delivery,
            signal,
            Origin(claim.id, claim.digest, claim.type, claim.recipients),
            at=ended,
            attempt=attempt,
            delivered_digest=ending.delivered_digest,
            proof=ending.proof,
        )
        (written,) = await self.ledger.record_many([change], now=ended)
        reach("dispatch.recorded")
        _counter(claim.delivery.recipient, ending.outcome).inc()
        ATTEMPT_SECONDS.observe(ended - started)
        log.info(
            "delivery.attempted",
            message_id=claim.id,
            delivery_id=claim.delivery.id,
            agency=claim.delivery.recipient,
            number=attempt.number,
            outcome=ending.outcome,
            state=change.after.state.value,
            status=ending.status,
            detail=detail,
            took_ms=round((ended - started) * 1000),
            written=written,
        )
        return change.after

    async def drain(self, limit: float = 12.0) -> None:
        """Claim nothing more; let what runs end within ``limit`` seconds; give the rest back."""
        self._stopping = True
        self.broker.ring(frozenset())
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=limit)
        for task in set(self._tasks):
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ledger.lapse(self.clock.now(), owner=self.owner)
