"""What the dispatcher knows of destinations that are down: who probes, when, and how the way back is sloped.

Kept in memory and, where it matters to others, in the ledger: an outage outlives the process, and where several are
at work each looks every second at what the others found out. What a failure or an answer tells a process itself is
newer than anything it reads, so what changed while it was reading is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery, State
from gateway.ports import Ledger
from gateway.telemetry import log

_QUIET = Breaker()


def _marks(breaker: Breaker) -> tuple[bool, str | None, int]:
    """What others must know of a destination; the rest is this process's own counting."""
    return breaker.is_open, breaker.prober, breaker.width


@dataclass(slots=True)
class Outages:
    """The breakers of one dispatcher."""

    ledger: Ledger
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    #: What the ledger held when it was last read or written, and how often this process wrote.
    _kept: dict[str, Breaker] = field(default_factory=dict)
    _writes: int = 0
    _probe_due: dict[str, float] = field(default_factory=dict)

    async def load(self) -> None:
        """Take up what was kept before this process began."""
        self._kept = await self.ledger.breakers()
        self._breakers = dict(self._kept)
        for recipient, breaker in self._breakers.items():
            await self._look_at_prober(recipient, breaker)

    async def refresh(self) -> None:
        """Take over what other processes found out since; cheap where nothing is down."""
        writes = self._writes
        kept = await self.ledger.breakers()
        if writes != self._writes:
            return  # the next look sees what both wrote
        before, self._kept = self._kept, kept
        for name in kept.keys() | before.keys():
            breaker = kept.get(name, _QUIET)
            if _marks(breaker) not in {_marks(each.get(name, _QUIET)) for each in (before, self._breakers)}:
                self._take_over(name, breaker)
                await self._look_at_prober(name, breaker)

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
        """The prober could not be claimed: where it is not with another process, or due later, another one probes."""
        breaker = self._breakers.get(recipient, _QUIET)
        if not await self._look_at_prober(recipient, breaker):
            await self._set(recipient, self._breakers.get(recipient, _QUIET).without_prober())

    async def _look_at_prober(self, recipient: str, breaker: Breaker) -> bool:
        """See when the prober is due; False where it is none any more."""
        prober = None if breaker.prober is None else await self.ledger.delivery(breaker.prober)
        if prober is None or prober.state not in {State.QUEUED, State.LEASED}:
            return False
        is_leased = prober.state is State.LEASED
        self._probe_due[recipient] = (prober.lease_until or 0.0) if is_leased else prober.due
        return True

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
        before = self._take_over(recipient, breaker)
        if before.is_open != breaker.is_open:
            if breaker.is_open:
                log.warning("destination.down", agency=recipient, since=breaker.since, failures=breaker.failures)
            else:
                log.warning("destination.back", agency=recipient, since=before.since, failures=before.failures)
        if _marks(before) != _marks(breaker):
            self._writes += 1
            await self.ledger.keep_breaker(recipient, breaker)
            self._writes += 1
            self._kept[recipient] = breaker

    def _take_over(self, recipient: str, breaker: Breaker) -> Breaker:
        """The destination is so from now on; answers how it was."""
        before = self._breakers.pop(recipient, _QUIET)
        if breaker.is_quiet:
            self._probe_due.pop(recipient, None)
        else:
            self._breakers[recipient] = breaker
        return before
