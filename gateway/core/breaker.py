"""Whether a destination is down, who probes it, and how carefully it is loaded again when it is back.

A destination's own failures in a row (not refusals: whoever refuses is up) open the breaker. While it is open,
one delivery, the prober, is tried by its own retry policy; nobody else uses up an attempt. The first success
closes it, and the destination gets a slope: one at a time, then two, four, eight.

A destination that answers, but with errors, may only be choking on one message. So errors open the breaker only
where different messages meet them, and a prober that draws nothing but errors makes way for another at times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: Failures in a row after which a destination counts as down.
OPEN_AFTER: Final = 3
#: Deliveries to one destination at a time when all is well.
FULL_WIDTH: Final = 8
#: Probes that a destination answered with an error, after which another delivery probes.
ERRORS_OF_ONE: Final = 8


@dataclass(frozen=True, slots=True)
class Breaker:
    """One destination as the dispatcher sees it. ``since`` is the moment of the first failure in the row.

    ``prober`` is the delivery that probes while the breaker is open; None while it is open means that the next
    one due becomes the prober.
    """

    failures: int = 0
    since: float | None = None
    is_open: bool = False
    prober: str | None = None
    width: int = FULL_WIDTH
    #: The delivery that failed last, whether others failed in this row too, and how many errors it drew as prober.
    last: str | None = None
    is_shared: bool = False
    errors: int = 0

    def failed(self, delivery: str, now: float, *, is_error: bool) -> Breaker:
        """After a failure; ``is_error``: the destination answered, with an error, instead of not at all."""
        failures = self.failures + 1
        shared = self.is_shared or not is_error or self.last not in {None, delivery}
        recovering = self.width < FULL_WIDTH
        opens = self.is_open or recovering or (failures >= OPEN_AFTER and shared)
        since = now if self.since is None else self.since
        if not opens:
            return Breaker(failures, since, last=delivery, is_shared=shared)
        prober = self.prober or delivery
        errors = self.errors + 1 if is_error and prober == delivery else self.errors
        if errors >= ERRORS_OF_ONE:
            prober, errors = "", 0
        return Breaker(
            failures, since, is_open=True, prober=prober or None, last=delivery, is_shared=shared, errors=errors
        )

    def answered(self) -> Breaker:
        """After the destination took or refused something: it is up; from an outage it comes back by a slope."""
        if self.is_open:
            return Breaker(width=1)
        return Breaker(width=min(FULL_WIDTH, self.width * 2))

    def without_prober(self) -> Breaker:
        """The prober ended otherwise (discarded, expired, held): whichever is due next probes."""
        return replace(self, prober=None, errors=0)

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to remember."""
        return self == Breaker()

    def room(self, busy: int) -> int:
        """How many more deliveries may be claimed beside ``busy``; the prober itself is claimed by name."""
        if self.is_open:
            return 1 if self.prober is None and not busy else 0
        return max(0, self.width - busy)
