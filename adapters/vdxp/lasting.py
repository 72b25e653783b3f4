"""Work that outlasts a try: a large file on a slow line goes on being sent, and the next try finds how it ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core.faults import TimedOut
from gateway.core.handover import HandedOver

#: A try of the bus ends soon after so many seconds; what takes longer goes on without it.
PATIENCE: Final = 18.0
#: When the next try looks (seconds).
LOOK_AGAIN: Final = 10.0
#: Works that are remembered until their delivery is tried again.
_REMEMBERED: Final = 200

Work = Callable[[], Coroutine[Any, Any, HandedOver]]


@dataclass(slots=True)
class Lasting:
    """Works under way or ended, by delivery: never two for one delivery at a time."""

    patience: float = PATIENCE
    _works: OrderedDict[str, asyncio.Task[HandedOver]] = field(default_factory=OrderedDict)

    async def of(self, delivery: str, work: Work) -> HandedOver:
        """What came of the delivery's work, begun now unless it is under way or ended without being asked about.

        Raises what the work raised, TimedOut where it goes on.
        """
        task = self._works.get(delivery)
        if task is None:
            task = asyncio.ensure_future(work())
            task.add_done_callback(_looked_at)
            self._works[delivery] = task
            self._forget()
        try:
            async with asyncio.timeout(self.patience):
                result = await asyncio.shield(task)
        except TimeoutError:
            if not task.done():
                raise TimedOut("it is still being sent; the next try looks how it ended", None, LOOK_AGAIN) from None
            del self._works[delivery]
            return task.result()
        except asyncio.CancelledError:
            if task.cancelled():
                raise TimedOut("the connection was closed while it was being sent") from None
            # The try was cut off, not the work.
            raise
        except BaseException:
            self._works.pop(delivery, None)
            raise
        self._works.pop(delivery, None)
        return result

    async def close(self) -> None:
        """Stop what is under way: whether it arrived is asked about by whoever tries next."""
        for task in self._works.values():
            task.cancel()
        self._works.clear()

    def _forget(self) -> None:
        """Deliveries that were given up never ask again: the oldest works that ended make room."""
        while len(self._works) > _REMEMBERED:
            ended = next((delivery for delivery, task in self._works.items() if task.done()), None)
            if ended is None:
                return
            del self._works[ended]


def _looked_at(task: asyncio.Task[HandedOver]) -> None:
    """An exception that nobody comes back for is no news."""
    if not task.cancelled():
        task.exception()
