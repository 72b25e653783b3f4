"""How fast one party may send: the generic cell rate algorithm, one number per party."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A steady pace with room for bursts: ``per_minute`` on average, ``burst`` at once."""

    per_minute: float
    burst: int

    def take(self, reached: float, now: float, count: int = 1) -> tuple[float, float]:
        """Take ``count`` cells; ``reached`` is the party's number so far (0.0 at first).

        Answers the number to remember and the seconds to wait: 0.0 where the cells were granted, else nothing
        was taken and the number is unchanged.
        """
        pace = 60.0 / self.per_minute
        start = max(reached, now)
        allowance = pace * self.burst
        wait = start + pace * count - allowance - now
        if wait > 0 and count <= self.burst:
            return reached, wait
        if wait > 0 and start > now:  # more at once than a burst holds: only from a standing start
            return reached, start - now
        return start + pace * count, 0.0

    def draw(self, reached: float, now: float, count: int) -> tuple[float, int, float]:
        """Take up to ``count`` cells, as many as are free: a pace that several processes keep together.

        Answers the number to remember, how many cells were granted and, where not all were, the seconds until one
        more is free.
        """
        pace = 60.0 / self.per_minute
        start = max(reached, now)
        free = math.floor((now + pace * self.burst - start) / pace + 1e-9)
        granted = max(0, min(count, free))
        start += pace * granted
        wait = 0.0 if granted == count else max(start + pace * (1 - self.burst) - now, 0.001)
        return (start if granted else reached), granted, wait
