"""A delivery whose tries end with the gateway itself, again and again, is tried apart from others, and then no more.

A crash interrupts all that is under way, and what interrupted it looks like the rest: nobody answered, the lease ended.
So after a second such end in a row a delivery waits for a moment of its own, and after too many it is dead, visible
among the failures with its explanation; its lane waits for a person, as behind any other that is dead.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.delivery import LAPSED, Deferred, GaveUp
from gateway.core.retry import MOST_LAPSED, respite
from gateway.ports import Attempt, Change, Claim, Clock, Ledger
from gateway.relay.settle import Origin, Settlement
from gateway.telemetry import log


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The step before a try; what was not interrupted costs it one comparison."""

    ledger: Ledger
    settlement: Settlement
    clock: Clock

    async def set_aside(self, claim: Claim) -> bool:
        """Put off, or give up, a claimed delivery that is suspicious; answers whether it is not to be tried now."""
        # What has no patience was fetched by its recipient until now; whose lease ended then says nothing about us.
        if claim.delivery.cause != LAPSED or claim.delivery.patience is None:
            return False
        lapsed = await self._lapsed(claim)
        wait = respite(lapsed, self.clock.chance())
        if lapsed < MOST_LAPSED and not wait:
            return False
        now = self.clock.now()
        change = self._given_up(claim, lapsed, now) if lapsed >= MOST_LAPSED else _put_off(claim, now + wait)
        await self.ledger.record_many([change], now=now)
        log.warning(
            "delivery.suspected",
            message_id=claim.id,
            delivery_id=claim.delivery.id,
            agency=claim.delivery.recipient,
            interrupted=lapsed,
            state=change.after.state.value,
        )
        return True

    async def _lapsed(self, claim: Claim) -> int:
        """Tries in a row, up to the last one, that nobody ended."""
        record = await self.ledger.find(claim.delivery.message)
        found = () if record is None else record.deliveries
        attempts = next((each.attempts for each in found if each.delivery.id == claim.delivery.id), ())
        number = claim.delivery.attempts + 1
        return sum(each.number == number and each.outcome == "lapsed" for each in attempts)

    def _given_up(self, claim: Claim, lapsed: int, now: float) -> Change:
        detail = f"the gateway ended during each of {lapsed} tries in a row"
        attempt = Attempt(claim.delivery.attempts + 1, now, now, "failed", None, detail)
        origin = Origin(claim.id, claim.digest, claim.type, claim.recipients)
        return self.settlement.change(claim.delivery, GaveUp("attempts"), origin, at=now, attempt=attempt)


def _put_off(claim: Claim, due: float) -> Change:
    return Change(claim.delivery, claim.delivery.after(Deferred(due, counted=False)))
