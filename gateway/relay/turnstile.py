"""How many envelopes may be on their way from the door to the ledger at once: beyond it the bus sheds load.

What waits longer than a sender's patience is sent again and makes the crowd larger. So a bus that is asked for more
than it can do in some ten seconds says so at once, while it still answers everybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.core.faults import Busy, Text

T = TypeVar("T")

#: Envelopes between door and ledger: ten full batches, some ten seconds of work on a small machine.
MOST: Final = 10_000
#: From this many envelopes on, they are judged in a worker thread: the signatures release the interpreter.
THREAD_FROM: Final = 8
#: Worker threads that judge at a time. More would only take the interpreter from the loop that answers.
_THREADS: Final = 2
#: A large batch makes way for others after so many envelopes.
_SLICE: Final = 100
_RETRY_AFTER: Final = 5.0


@dataclass(slots=True)
class Turnstile:
    """Counts who is inside and lets few judge at a time."""

    most: int = MOST
    inside: int = 0
    _judging: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_THREADS))

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

    async def judged(self, judge: Callable[[bytes], T], bodies: Sequence[bytes]) -> list[T]:
        """``judge`` of each body, in order: few at once, many in worker threads by turns."""
        if len(bodies) < THREAD_FROM:
            return [judge(body) for body in bodies]
        found: list[T] = []
        for start in range(0, len(bodies), _SLICE):
            part = bodies[start : start + _SLICE]
            async with self._judging:
                found += await asyncio.to_thread(_each, judge, part)
        return found


def _each(judge: Callable[[bytes], T], bodies: Sequence[bytes]) -> list[T]:
    return [judge(body) for body in bodies]
