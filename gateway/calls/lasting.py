"""A hand-over that may outlast a try of the bus: a large file goes on being sent, and the next try finds its end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway.core.faults import TimedOut
from gateway.core.handover import HandedOver

#: A try of the bus is cut off a little later than this (seconds).
PATIENCE: Final = 18.0
#: When the next try had better look (seconds).
_LOOK_AGAIN: Final = 10.0
#: Hand-overs that ended after their try was over and are kept until the next one asks.
_KEPT: Final = 200


class Lasting:
    """Hand-overs under way, at most one a delivery."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._under_way: OrderedDict[str, asyncio.Task[HandedOver]] = OrderedDict()

    async def of(self, delivery: str, work: Callable[[], Coroutine[Any, Any, HandedOver]]) -> HandedOver:
        """What came of the delivery's hand-over, begun now unless an earlier try began it.

        Raises what it raised; TimedOut where it goes on still.
        """
        task = self._under_way.get(delivery)
        if task is None:
            task = self._under_way[delivery] = asyncio.ensure_future(work())
            task.add_done_callback(_heard)
            self._make_room()
        # Whoever waits may be cut off: that ends the waiting, not the work.
        ended, _ = await asyncio.wait([task], timeout=self._patience)
        if not ended:
            raise TimedOut("it is still being sent; the next try looks how it ended", None, _LOOK_AGAIN)
        self._under_way.pop(delivery, None)
        if task.cancelled():
            raise TimedOut("it was stopped while it was being sent")
        return task.result()

    async def close(self) -> None:
        """Stop what is under way; whether it got through is asked by whoever tries next."""
        tasks = [task for task in self._under_way.values() if not task.done()]
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)

    def _make_room(self) -> None:
        ended = [delivery for delivery, task in self._under_way.items() if task.done()]
        for delivery in ended[: max(0, len(self._under_way) - _KEPT)]:
            del self._under_way[delivery]


def _heard(task: asyncio.Task[HandedOver]) -> None:
    """A failure that nobody comes back for is no news."""
    if not task.cancelled():
        task.exception()
