"""How many envelopes may be on their way from the door to the ledger at once: beyond it the bus sheds load.

What waits longer than a sender's patience is sent again and makes the crowd larger. So a bus that is asked for more
than it can do in some ten seconds says so at once, while it still answers everybody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.core.faults import Busy, Text

A = TypeVar("A")
T = TypeVar("T")

#: Envelopes between door and ledger: ten full batches, some ten seconds of work on a small machine.
MOST: Final = 10_000
#: So many are done at a stretch; more take turns with everything else.
FEW: Final = 8
#: How long a turn lasts (seconds): what waits meanwhile waits a few turns, not a whole batch.
_TURN: Final = 0.005
_RETRY_AFTER: Final = 5.0


@dataclass(slots=True)
class Turnstile:
    """Counts who is inside and lets the crowds among them go on by turns."""

    most: int = MOST
    inside: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextmanager
    def passed(self, count: int) -> Iterator[None]:
        """Have ``count`` envelopes inside; raises Busy ``overloaded`` where too many are, unless nobody is."""
        if self.inside and self.inside + count > self.most:
            raise Busy(
                "overloaded",
                Text(
                    f"Trục đang xử lý {self.inside} thông điệp, chưa nhận thêm được."
                    " Bên gửi chờ hết thời gian Retry-After rồi gửi lại nguyên như cũ.",
                    f"The bus is at work on {self.inside} messages and cannot take more right now."
                    " The sender must wait for Retry-After and send the same again.",
                ),
                retry_after=_RETRY_AFTER,
            )
        self.inside += count
        try:
            yield
        finally:
            self.inside -= count

    async def by_turns(self, step: Callable[[A], T], items: Sequence[A]) -> list[T]:
        """``step`` of each, in order: few at once, many a turn at a time, between which others have theirs.

        All of it in the loop's own thread: another one would only fight with it for the interpreter.
        """
        if len(items) <= FEW:
            return [step(item) for item in items]
        done: list[T] = []
        while len(done) < len(items):
            async with self._turn:
                end = time.perf_counter() + _TURN
                while len(done) < len(items) and time.perf_counter() < end:
                    done.append(step(items[len(done)]))
                await asyncio.sleep(0)  # the next turn is not begun before all others had theirs
        return done
