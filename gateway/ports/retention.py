"""The promise of what takes old things out of a ledger, a little at a time, beside everybody who works on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.core.retention import Ages

#: Where a call ended. What it says is the store's own affair.
Mark = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Retired:
    """What one call removed: rows of each class, and the names of months that went whole, uncounted.

    ``mark``: hand it to the next call; None where everything that is old was looked at.
    """

    bodies: int = 0
    attempts: int = 0
    messages: int = 0
    months: tuple[str, ...] = ()
    mark: Mark | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything was removed."""
        return bool(self.bodies or self.attempts or self.messages or self.months)


class Retention(Protocol):
    """Removes what is older than its age. A message goes only where all its deliveries have ended and none owes an
    outcome; the journal is never touched.

    For ever after, its id and those of its translations stay taken, and a repeat gets the first answer.
    """

    async def retire(self, ages: Ages, *, now: float, limit: int, after: Mark | None = None) -> Retired:
        """Remove at most about ``limit`` rows, or one month, in a transaction of its own that others hardly wait for.

        The age of a message counts from its acceptance, that of an attempt from its end. A store that keeps things by
        month may keep what is old for up to a month more. Without the *data* there is no envelope, no translation, and
        no file is named; without the *attempts* deliveries show none; without the *metadata* neither message nor
        delivery is known. Raises Busy where the store cannot be written now.
        """
