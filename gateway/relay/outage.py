"""What the dispatcher knows of destinations that are down: who probes, when, and how the way back is sloped.

Kept in memory and, where it matters after a restart, in the ledger: an outage outlives the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery, State
from gateway.ports import Ledger
from gateway.telemetry import log

_QUIET = Breaker()


@dataclass(slots=True)
class Outages:
    """The breakers of one dispatcher."""

    ledger: Ledger
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _probe_due: dict[str, float] = field(default_factory=dict)

    async def load(self) -> None:
        """Take up what was kept before this process began."""
        self._breakers = await self.ledger.breakers()
        for recipient, breaker in self._breakers.items():
            prober = None if breaker.prober is None else await self.ledger.delivery(breaker.prober)
            self._probe_due[recipient] = 0.0 if prober is None else prober.due

    def down(self) -> frozenset[str]:
        """Destinations that are down."""
        return frozenset(name for name, breaker in self._breakers.items() if breaker.is_open)

    def room(self, recipient: str, busy: int) -> int:
        """How many deliveries may be claimed for a recipient that has ``busy`` under way."""
        return self._breakers.get(recipient, _QUIET).room(busy)

    def probers(self, now: float, busy: Mapping[str, int]) -> dict[str, str]:
        """Recipient -> the delivery that is to probe it now."""
        return {
            recipient: breaker.prober
            for recipient, breaker in self._breakers.items()
            if breaker.is_open
            and breaker.prober is not None
            and not busy.get(recipient)
            and self._probe_due.get(recipient, 0.0) <= now
        }

    def next_probe(self) -> float | None:
        """The moment of the earliest probe to come."""
        due = [self._probe_due.get(each, 0.0) for each, breaker in self._breakers.items() if breaker.prober is not None]
        return min(due, default=None)

    async def gone(self, recipient: str) -> None:
        """The prober is no longer there to be claimed: another one probes."""
        await self._set(recipient, self._breakers.get(recipient, _QUIET).without_prober())

    async def answered(self, recipient: str) -> None:
        """The destination took or refused something."""
        breaker = self._breakers.get(recipient)
        if breaker is not None:
            await self._set(recipient, breaker.answered())

    async def failed(self, after: Delivery, now: float, *, is_error: bool) -> None:
        """The destination failed; ``after`` is the delivery as it is since."""
        recipient = after.recipient
        breaker = self._breakers.get(recipient, _QUIET).failed(after.id, now, is_error=is_error)
        if breaker.prober == after.id:
            self._probe_due[recipient] = after.due
            if after.state is not State.QUEUED:
                breaker = breaker.without_prober()
        await self._set(recipient, breaker)

    async def _set(self, recipient: str, breaker: Breaker) -> None:
        before = self._breakers.get(recipient, _QUIET)
        if breaker.is_quiet:
            self._breakers.pop(recipient, None)
            self._probe_due.pop(recipient, None)
        else:
            self._breakers[recipient] = breaker
        if before.is_open != breaker.is_open:
            if breaker.is_open:
                log.warning("destination.down", agency=recipient, since=breaker.since, failures=breaker.failures)
            else:
                log.warning("destination.back", agency=recipient, since=before.since, failures=before.failures)
        marks = (before.is_open, before.prober, before.width), (breaker.is_open, breaker.prober, breaker.width)
        if marks[0] != marks[1]:
            await self.ledger.keep_breaker(recipient, breaker)
