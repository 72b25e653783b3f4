"""The inbox: a recipient leases what waits for it, and settles it; a lapsed lease uses up no attempt."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog

from gateway.core.agreement import Subscription
from gateway.core.carrying import carried
from gateway.core.delivery import Deferred, Delivered, Delivery, Refused, Signal, State
from gateway.core.directory import System
from gateway.core.faults import Busy, IllegalStep, PermanentFailure, Withheld
from gateway.core.moments import day_of
from gateway.core.unread import Unread
from gateway.ports import Attempt, AttemptOutcome, Change, Claim, Clock, Ledger, Record
from gateway.relay.inspect import LATER, PATIENCE, Inspect, StillLooking
from gateway.relay.proof import Proofs
from gateway.relay.settle import Origin, Settlement
from gateway.relay.translate import HandedOut, Translate

#: One answer to a lease holds at most this many bytes (the first delivery always fits).
MAX_ANSWER: Final = 8 * 1024 * 1024
#: Besides the text itself an answer holds names, quotes and the delivery's id, at most this much for each.
_FRAME: Final = 160
#: The answer that a recipient repeats because ours got lost: settled, as it was.
_SETTLED_BEFORE: Final = {("taken", State.DELIVERED, None), ("refused", State.DEAD, "refused")}
#: What cannot be made ready for a reason nobody foresaw is tried again after this (seconds).
_LATER: Final = 30.0
_LOOK_AGAIN: Final = 1.0
_TRIES: Final = 5
#: Deliveries settled side by side, so that they share a transaction.
_TOGETHER: Final = 200

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Leased:
    """One delivery in the recipient's hands: its id, the attempt's number, the envelope or bare event as text.

    ``carried``: the agencies that the recipient carries it for (see ``Parcel.carried``).
    """

    delivery: str
    attempt: int
    envelope: str
    carried: tuple[str, ...] = ()


@dataclass(slots=True)
class Pull:
    """The step behind ``/v1/inbox``; ``notify`` wakes recipients that wait."""

    ledger: Ledger
    translate: Translate
    settlement: Settlement
    proofs: Proofs
    clock: Clock
    announce: Callable[[frozenset[str]], None]
    #: Says what may not be handed over on account of its files; None where nobody does.
    inspect: Inspect | None = None
    _waiting: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def notify(self, recipients: frozenset[str]) -> None:
        """Something may be due for these recipients."""
        for name in recipients & self._waiting.keys():
            self._waiting[name].set()

    async def lease(self, system: System, *, max: int, wait: float, visibility: float) -> list[Leased]:
        """Up to ``max`` due deliveries, at most one a lane; waits up to ``wait`` seconds for the first."""
        until = self.clock.now() + wait
        while True:
            bell = self._waiting[system.name]
            bell.clear()
            leased = await self._lease_now(system, max, visibility)
            left = until - self.clock.now()
            if leased or left <= 0:
                return leased
            try:
                async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                    await bell.wait()
            except TimeoutError:
                continue

    async def _lease_now(self, system: System, limit: int, visibility: float) -> list[Leased]:
        now = self.clock.now()
        claims = await self.ledger.claim(
            {system.name: limit}, owner=f"pull:{system.name}", now=now, until=now + visibility
        )
        # Neither who waits for an answer nor the leases in it may wait for many looks one after the other.
        looking_until = asyncio.get_running_loop().time() + min(PATIENCE, visibility / 3)
        leased: list[Leased] = []
        given_back: list[Change] = []
        size = 0
        for claim in claims:
            try:
                text = (await self._body(claim, system, looking_until)).decode("utf-8")
                behind = carried(Unread(claim.envelope), system, self.settlement.directory(), day_of(now))
            except PermanentFailure as failure:
                given_back.append(self._refused(claim, failure))
                continue
            except StillLooking:
                later = Deferred(self.clock.now() + LATER, counted=False)
                given_back.append(Change(claim.delivery, claim.delivery.after(later)))
                continue
            except Busy:
                # The ledger was away for a moment, which says nothing about this one.
                given_back.append(Change(claim.delivery, claim.delivery.after(Deferred(now, counted=False))))
                continue
            except Exception:
                # One that cannot be read now must not keep the others from their recipient.
                log.exception("step.failed", step="inbox", delivery_id=claim.delivery.id, agency=system.name)
                given_back.append(Change(claim.delivery, claim.delivery.after(Deferred(now + _LATER, counted=False))))
                continue
            size += len(json.dumps(text)) + len(json.dumps(behind)) + _FRAME
            if leased and size > MAX_ANSWER:
                given_back.append(Change(claim.delivery, claim.delivery.after(Deferred(now, counted=False))))
                continue
            leased.append(Leased(claim.delivery.id, claim.delivery.attempts + 1, text, behind))
        if given_back:
            await self.ledger.record_many(given_back, now=now)
        return leased

    async def _body(self, claim: Claim, system: System, looking_until: float) -> bytes:
        if self.inspect is not None:
            within = max(0.0, looking_until - asyncio.get_running_loop().time())
            if why := await self.inspect.refusal(claim.delivery.message, system, within=within):
                raise Withheld(why)
        wish = system.subscriptions.get(claim.type) or Subscription(claim.type, claim.version)
        return (await self.translate.render(claim, wish.version)).body(wish.format)

    def _refused(self, claim: Claim, failure: PermanentFailure) -> Change:
        now = self.clock.now()
        attempt = Attempt(claim.delivery.attempts + 1, now, now, "refused", None, failure.detail)
        reason = failure.detail if isinstance(failure, Withheld) else None
        origin = Origin(claim.id, claim.digest, claim.type, claim.recipients)
        return self.settlement.change(claim.delivery, Refused(), origin, at=now, attempt=attempt, reason=reason)

    async def settle(
        self,
        system: System,
        *,
        taken: Sequence[tuple[str, bytes | None]],
        refused: Sequence[tuple[str, str]],
        later: Sequence[tuple[str, float]],
    ) -> tuple[int, list[str]]:
        """Answers how many deliveries were settled and the ids that are not this recipient's or no longer open."""
        unknown: list[str] = []
        settled = 0
        wishes: list[tuple[str, Literal["taken", "refused", "later"], bytes | str | float | None]] = [
            *((id_, "taken", proof) for id_, proof in taken),
            *((id_, "refused", reason) for id_, reason in refused),
            *((id_, "later", seconds) for id_, seconds in later),
        ]
        for start in range(0, len(wishes), _TOGETHER):
            some = wishes[start : start + _TOGETHER]
            done = await asyncio.gather(*(self._settle_one(system, id_, verb, value) for id_, verb, value in some))
            settled += sum(done)
            unknown += [id_ for (id_, _, _), is_settled in zip(some, done, strict=True) if not is_settled]
        if settled:
            self.announce(frozenset({system.name}))
        return settled, unknown

    async def _settle_one(self, system: System, id_: str, verb: str, value: bytes | str | float | None) -> bool:
        for _ in range(_TRIES):
            delivery = await self.ledger.delivery(id_)
            if delivery is None or delivery.recipient != system.name:
                return False
            if (verb, delivery.state, delivery.cause) in _SETTLED_BEFORE:
                return True
            record = await self.ledger.find(delivery.message)
            if record is None:
                return False
            try:
                change = await self._change(system, delivery, record, verb, value)
            except IllegalStep:
                return False
            (written,) = await self.ledger.record_many([change], now=self.clock.now())
            if written:
                return True
        return False

    async def _change(
        self, system: System, delivery: Delivery, record: Record, verb: str, value: bytes | str | float | None
    ) -> Change:
        now = self.clock.now()
        if verb == "later":
            seconds = float(value) if isinstance(value, int | float) else 0.0
            return Change(delivery, delivery.after(Deferred(now + seconds, counted=False)))
        origin = Origin(record.id, record.digest, record.type, record.recipients)
        outcome: AttemptOutcome = "taken" if verb == "taken" else "refused"
        detail = value if isinstance(value, str) else None
        attempt = Attempt(delivery.attempts + 1, now, now, outcome, None, detail)
        signal: Signal = Delivered() if verb == "taken" else Refused()
        handed = HandedOut((record.id,), None)
        if verb == "taken":
            handed = await HandedOut.of(record, system.subscriptions.get(record.type), self.ledger)
        proof = None
        if isinstance(value, bytes):
            body_digest = handed.digest or f"sha-256:{record.digest}"
            proof = self.proofs.checked(value, system, delivery, handed.ids, body_digest)
        return self.settlement.change(
            delivery,
            signal,
            origin,
            at=now,
            attempt=attempt,
            delivered_digest=handed.digest,
            proof=proof,
        )
