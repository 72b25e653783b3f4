"""One try of one delivery: translate where needed, hand over, and say what came of it as a step yet to be written.

Failure policy in words. Whatever an adapter raises is temporary, unless it says *permanent*. A temporary failure is
tried again by the subscription's retry policy until its patience ends; a permanent one makes the delivery dead at
once, and its lane waits for an operator. "Gone" (HTTP 410) puts the destination on hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.checkpoints import reach
from gateway.core.agreement import Subscription
from gateway.core.carrying import carried
from gateway.core.delivery import LAPSED, Deferred, Delivered, GaveUp, Refused, Signal
from gateway.core.directory import Directory, System
from gateway.core.envelope import digest_of
from gateway.core.faults import (
    Busy,
    DestinationGone,
    NotYet,
    PermanentFailure,
    TimedOut,
    TransientFailure,
    Withheld,
)
from gateway.core.moments import day_of
from gateway.core.retry import Never, RetryPolicy, next_step
from gateway.core.unread import Unread
from gateway.ports import Adapter, Attempt, AttemptOutcome, Change, Claim, Clock, HandedOver, Parcel
from gateway.relay.inspect import LATER, Inspect
from gateway.relay.proof import Proofs
from gateway.relay.settle import Origin, Settlement
from gateway.relay.translate import Rendered, Translate
from gateway.telemetry import log

MAX_DETAIL: Final = 500
#: What is left of a lease when a message is handed over, at least (seconds).
_MARGIN: Final = 1.0
#: What a try is cancelled with when it took too long.
TOO_LATE: Final = "too late"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try: the step to be written; whether the destination asks for no more, or could not.

    ``failure`` is None where the destination took or refused the message: either way it works. ``is_unasked``: it was
    put off before the destination was asked anything, so this says nothing about it and uses up no attempt.
    """

    claim: Claim
    change: Change
    attempt: Attempt
    failure: TransientFailure | DestinationGone | None = None
    is_unasked: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """The step, with its needs."""

    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    translate: Translate
    settlement: Settlement
    proofs: Proofs
    clock: Clock
    #: Says what may not be handed over on account of its files; None where nobody does.
    inspect: Inspect | None = None

    async def of(self, claim: Claim) -> Tried | None:
        """Try a claimed delivery once. Cancelled with TOO_LATE, it is a try that timed out.

        Raises Busy where the ledger is away before anything was handed over.

        None, and nothing was handed over, where the lease is ending: this process stood still, and another one may
        have delivered the message since, and others of its lane behind it.
        """
        started = self.clock.now()
        system = self.directory().system(claim.delivery.recipient)
        try:
            if system is None:
                raise TransientFailure("the system is no longer registered")
            if self.inspect is not None and (why := await self.inspect.refusal(claim.delivery.message, system)):
                raise Withheld(why)
            wish = system.subscriptions.get(claim.type) or Subscription(claim.type, claim.version)
            rendered = await self.translate.render(claim, wish.version)
            reach("dispatch.rendered")
            parcel = self._parcel(claim, system, wish, rendered)
            if self.clock.now() >= (claim.delivery.lease_until or 0.0) - _MARGIN:
                return None
            handed = await self.adapter_of(system).deliver(parcel)
            reach("dispatch.handed-over")
        except PermanentFailure as failure:
            reason = failure.detail if isinstance(failure, Withheld) else None
            return self._tried(
                claim, Refused(), started, "refused", status=failure.status, detail=failure.detail, reason=reason
            )
        except DestinationGone as failure:
            return self._gone(claim, started, failure)
        except Busy:
            raise  # the ledger is away, which is not the destination's fault: nothing was handed over
        except TimeoutError:
            return self._again(claim, system, started, TimedOut("no answer in time"))
        except asyncio.CancelledError as cancelled:
            if TOO_LATE not in cancelled.args:
                raise
            return self._again(claim, system, started, TimedOut("no answer in time"))
        except TransientFailure as failure:
            return self._again(claim, system, started, failure)
        except Exception as error:  # noqa: BLE001 - whatever is unforeseen is temporary
            log.exception("adapter.failed", delivery_id=claim.delivery.id, agency=claim.delivery.recipient)
            return self._again(claim, system, started, TransientFailure(f"unforeseen: {type(error).__name__}"))
        return self._taken(claim, parcel, handed, started)

    def _parcel(self, claim: Claim, system: System, wish: Subscription, rendered: Rendered) -> Parcel:
        # a translation does not say to whom the original went
        original = Unread(claim.envelope) if rendered.is_translated else rendered.event
        return Parcel(
            delivery=claim.delivery.id,
            message=claim.id,
            attempt=claim.delivery.attempts + 1,
            recipient=system,
            body=rendered.body(wish.format),
            event=rendered.event,
            format=wish.format,
            is_translated=rendered.is_translated,
            carried=carried(original, system, self.directory(), day_of(self.clock.now())),
            interrupted=claim.delivery.cause == LAPSED,
        )

    def _taken(self, claim: Claim, parcel: Parcel, handed: HandedOver, started: float) -> Tried:
        is_original = parcel.body is claim.envelope or parcel.body == claim.envelope
        digest = None if is_original else digest_of(parcel.body)
        proof: bytes | None = None
        if handed.receipt:
            ids = {claim.id, str(parcel.event["id"])}
            whole = digest or f"sha-256:{claim.digest}"
            proof = self.proofs.checked(handed.receipt, parcel.recipient, claim.delivery, ids, whole)
        return self._tried(
            claim,
            Delivered(),
            started,
            "taken",
            status=handed.status,
            detail=handed.detail,
            delivered_digest=digest,
            proof=proof,
        )

    def _again(self, claim: Claim, system: System | None, started: float, failure: TransientFailure) -> Tried:
        if isinstance(failure, NotYet):
            return self._put_off(claim, started, failure)
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
        return self._tried(
            claim, signal, started, outcome, status=failure.status, detail=failure.detail, failure=failure
        )

    def _put_off(self, claim: Claim, started: float, failure: NotYet) -> Tried:
        ended = max(self.clock.now(), started)
        change = Change(
            claim.delivery, claim.delivery.after(Deferred(ended + (failure.retry_after or LATER), counted=False))
        )
        attempt = Attempt(claim.delivery.attempts + 1, started, ended, "failed", None, failure.detail)
        return Tried(claim, change, attempt, is_unasked=True)

    def _gone(self, claim: Claim, started: float, failure: DestinationGone) -> Tried:
        """The far side asked for no more: nothing is lost, an operator must speak with the agency."""
        signal = Deferred(self.clock.now())
        return self._tried(
            claim, signal, started, "failed", status=failure.status, detail=failure.detail, failure=failure
        )

    def _tried(
        self,
        claim: Claim,
        signal: Signal,
        started: float,
        outcome: AttemptOutcome,
        *,
        status: int | None = None,
        detail: str | None = None,
        delivered_digest: str | None = None,
        proof: bytes | None = None,
        reason: str | None = None,
        failure: TransientFailure | DestinationGone | None = None,
    ) -> Tried:
        ended = max(self.clock.now(), started)
        detail = None if detail is None else detail[:MAX_DETAIL]
        attempt = Attempt(claim.delivery.attempts + 1, started, ended, outcome, status, detail)
        change = self.settlement.change(
            claim.delivery,
            signal,
            Origin(claim.id, claim.digest, claim.type, claim.recipients),
            at=ended,
            attempt=attempt,
            delivered_digest=delivered_digest,
            proof=proof,
            reason=reason,
        )
        return Tried(claim, change, attempt, failure)
