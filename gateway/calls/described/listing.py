"""A list at a far side read as its description says: what waits there, what is new since, or all of it by pages.

The mark (a moment, or the far side's own cursor) moves on only when everything before it is settled: nothing that was
read and not settled is ever passed over, by whichever process reads next.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.calls.asking import Said, accepted
from gateway.calls.described.item import Waiting, mark_of, waiting
from gateway.calls.described.parts import Collect
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.core.moments import VIET_NAM
from gateway.core.rule import ABSENT, value_at

#: What one list may have waiting in memory: items, and their bytes.
_MOST_WAITING: Final = 20_000
_MOST_WEIGHT: Final = 32 << 20
#: Items of one page.
_MOST_ITEMS: Final = 20_000
_LONGEST_CURSOR: Final = 2000
#: A look ends after the page at which so many seconds are over.
_LOOK_SECONDS: Final = 20.0

Asking = Callable[[Mapping[str, Any]], Awaitable[Said]]


class Listing:
    """One list."""

    def __init__(self, part: Collect, every: float) -> None:
        """``every``: seconds between two looks."""
        self.part = part
        self.waiting: OrderedDict[str, Waiting] = OrderedDict()
        #: What becomes the mark when all that waits is settled.
        self.pending: Any = None
        self._every = every
        self._next_look = 0.0
        self._weight = 0

    def forget(self, token: str) -> None:
        """It is done with."""
        each = self.waiting.pop(token, None)
        if each is not None:
            self._weight -= each.weight

    def is_due(self, now: float) -> bool:
        """Whether it is time to look, and there is room for what is found."""
        return now >= self._next_look and len(self.waiting) < _MOST_WAITING and self._weight < _MOST_WEIGHT

    async def look(self, ask: Asking, mark: Any, done: frozenset[str], now: float) -> None:
        """Read it. Raises TransientFailure, and DestinationGone; what was read until then waits all the same."""
        part = self.part
        since, until = self._window(mark, now)
        known = set() if part.by == "queue" else set(self.waiting)
        if part.by == "queue":
            self.waiting.clear()
            self._weight = 0
        start = self.pending if self.pending is not None else mark
        cursor = start if part.by == "cursor" and isinstance(start, str) else ""
        record: dict[str, Any] = {"window": {"since": _told(since), "until": _told(until)}}
        number, fresh, is_whole = part.first_page, 0, False
        clock = asyncio.get_running_loop().time
        ends = clock() + _LOOK_SECONDS
        for _ in range(part.most_pages):
            size = {"size": part.page_size, "offset": (number - part.first_page) * part.page_size}
            value = await self._page(ask, {**record, "page": {"number": number, **size}, "cursor": cursor})
            items = self._items(value)
            fresh += self._keep(items, done, known)
            following = _cursor(value, part) if part.by == "cursor" else ""
            number += 1
            if self._weight >= _MOST_WEIGHT or len(self.waiting) >= _MOST_WAITING:
                break
            if following and following != cursor:
                cursor = self.pending = following
            elif part.by == "cursor" or not part.page_size or len(items) < part.page_size:
                is_whole = True
                break
            if clock() > ends:
                break
        if is_whole and part.by == "window":
            self.pending = until
        if not is_whole and not fresh and part.by != "cursor":
            raise TransientFailure(f"the list {part.thing.name} has more pages than most_pages lets be read")
        self._next_look = now + self._every

    def _window(self, mark: Any, now: float) -> tuple[float, float]:
        part = self.part
        is_marked = isinstance(mark, int | float) and not isinstance(mark, bool)
        since = max(0.0, (min(float(mark), now) if is_marked else now) - part.overlap)
        # A window must reach beyond the overlap, or it would stand still.
        until = now if part.longest is None else min(now, since + part.overlap + part.longest)
        return since, until

    async def _page(self, ask: Asking, record: Mapping[str, Any]) -> Any:
        try:
            reading = accepted(await ask(record), "done", "empty")
        except PermanentFailure as failure:
            raise TransientFailure(f"the list {self.part.thing.name}: {failure.detail}", failure.status) from None
        return reading.payload if reading.kind == "done" else []

    def _items(self, value: Any) -> list[Any]:
        found = value if value == [] else value_at(value, self.part.thing.items)
        if found is None or found in ("", []) or (found is ABSENT and self.part.may_lack):
            return []
        items = [found] if isinstance(found, dict) else found
        if not isinstance(items, list) or len(items) > _MOST_ITEMS:
            raise TransientFailure(f"the answer has no list where the description of {self.part.thing.name} says")
        return items

    def _keep(self, items: list[Any], done: frozenset[str], known: set[str]) -> int:
        """How many were new."""
        fresh = 0
        for item in items:
            each = waiting(self.part.thing, item)
            if mark_of(each.token) in done or each.token in known or each.token in self.waiting:
                continue
            self.waiting[each.token] = each
            self._weight += each.weight
            fresh += 1
            if self._weight >= _MOST_WEIGHT or len(self.waiting) >= _MOST_WAITING:
                break
        return fresh


def _cursor(value: Any, part: Collect) -> str:
    found = value_at(value, part.next or ())
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if len(text) <= _LONGEST_CURSOR else ""


def _told(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).isoformat(timespec="seconds")
