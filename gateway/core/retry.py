"""When a failed delivery is tried next, or that it never will be again."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

#: Retry-After is honoured up to this (seconds): a far side that asks for more is asked again after a day.
LONGEST_WISH: Final = 86400.0
_MAX_DOUBLINGS: Final = 64


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter. Durations in seconds; ``attempts`` None means no limit.

    The default survives the Tết holidays: 5 s, doubling up to 1 h, for 14 days.
    """

    first: float = 5.0
    factor: float = 2.0
    cap: float = 3600.0
    deadline: float = 14 * 86400.0
    attempts: int | None = None

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds from failed attempt number ``attempt`` (from 1) to the next; ``chance`` is in [0, 1).

        Spread evenly between ``first`` and the step's ceiling, so never sooner than ``first``.
        """
        ceiling = max(self.cap, self.first)
        with contextlib.suppress(OverflowError):  # what outgrows a double is over the cap
            ceiling = min(ceiling, self.first * self.factor ** min(attempt - 1, _MAX_DOUBLINGS))
        return self.first + chance * max(0.0, ceiling - self.first)


#: Tries in a row that ended with the gateway that made them, without any answer: so many, and the bus gives up.
MOST_LAPSED: Final = 6


def respite(lapsed: int, chance: float) -> float:
    """Seconds that a delivery waits after so many tries in a row that ended with their gateway; ``chance`` in [0, 1).

    One interruption is nobody's fault. After more, each delivery waits for a moment of its own within 2, 4, 8, 16
    seconds: whichever of those under way together it was that ended the gateway is tried apart from the others.
    """
    return 0.0 if lapsed < 2 else chance * 2.0 ** min(lapsed - 1, MOST_LAPSED)


@dataclass(frozen=True, slots=True)
class Again:
    """Try again at ``due`` (seconds since 1970)."""

    due: float


@dataclass(frozen=True, slots=True)
class Never:
    """Give up; ``cause`` is ``deadline`` or ``attempts``."""

    cause: str


def next_step(
    policy: RetryPolicy, *, attempt: int, now: float, deadline: float, chance: float, wish: float | None = None
) -> Again | Never:
    """What follows failed attempt number ``attempt`` at ``now``, with ``wish`` the far side's Retry-After.

    The last try falls on the deadline itself, never after it.
    """
    if policy.attempts is not None and attempt >= policy.attempts:
        return Never("attempts")
    if now >= deadline:
        return Never("deadline")
    wait = policy.delay(attempt, chance)
    if wish is not None:
        wait = max(wait, min(max(wish, 0.0), LONGEST_WISH))
    return Again(min(now + wait, deadline))
