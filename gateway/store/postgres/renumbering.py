"""Places of another ledger become numbers of this one, and back: in the same order, and telling their month.

A ledger that moves in has places of its own (1, 2, 3 …), or numbers of another cluster. Each month's first place gets
the first number of that month, and what follows it follows it. A message's number stays below those of its deliveries,
these below those of their attempts: questions rely on it, so each kind has its own part of a month.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.store.postgres.partitions import Month

#: Where the part of a kind begins in each month, and how far two places in a row may be apart to be told by one run.
PARTS: Final = {"messages": 0, "deliveries": 1 << 38, "attempts": 1 << 39}
_JUMP: Final = 1 << 32


@dataclass(slots=True)
class Calendar:
    """The places of one kind, told in rising order: from each place of ``starts`` on, so much more is their number."""

    part: int
    starts: list[int] = field(default_factory=list)
    more: list[int] = field(default_factory=list)
    month: int = -1
    last: int = 0

    def tell(self, place: int, month: Month) -> Month:
        """Know the next place, of that month or of the last one where time went back; answers its month."""
        if month.number > self.month:
            self._start(place, month.first + self.part + 1)
            self.month = month.number
        elif place - self.last > _JUMP:
            self._start(place, self.number(self.last) + 1)
        self.last = place
        return Month(self.month)

    def _start(self, place: int, number: int) -> None:
        self.starts.append(place)
        self.more.append(number - place)

    def number(self, place: int) -> int:
        """The number of a place that was told; 0 for what lies before all of them."""
        run = bisect_right(self.starts, place) - 1
        return 0 if run < 0 else place + self.more[run]

    def place(self, number: int) -> int:
        """The place that has this number; 0 for none."""
        run = bisect_right([start + more for start, more in zip(self.starts, self.more, strict=True)], number) - 1
        return 0 if run < 0 else number - self.more[run]


class Calendars(dict[str, Calendar]):
    """One for each kind."""

    def __init__(self, text: str = "{}") -> None:
        kept = json.loads(text)
        super().__init__({kind: Calendar(part, *kept.get(kind, ())) for kind, part in PARTS.items()})

    def __str__(self) -> str:
        """What they know, as JSON; makes equal ones."""
        return json.dumps({kind: [each.starts, each.more, each.month, each.last] for kind, each in self.items()})

    def months(self, kinds: Iterable[str] = PARTS) -> set[int]:
        """Months that something was told of."""
        return {
            Month.of(start + more).number
            for kind in kinds
            for start, more in zip(self[kind].starts, self[kind].more, strict=True)
        }
