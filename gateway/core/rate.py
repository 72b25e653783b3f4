"""How fast one party may send: the generic cell rate algorithm, one number per party."""

from __future__ import annotations

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

    def spent(self, reached: float, now: float, count: int) -> float:
        """The number to go on from after ``count`` cells were granted elsewhere, whether or not there was room."""
        return max(reached, now) + 60.0 / self.per_minute * count
