"""The tracking list read: pages as RESTHeart writes them, while events are added and pages shift.

Nothing marks an event as seen over there, so the list is read up to where everything is known, some pages further,
and once in a while as a whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.calls.caller import Answer
from gateway.core.faults import TransientFailure
from gateway.core.plain_moment import seconds, written

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_TOKEN: Final = re.compile(r"track:(?:[A-Za-z0-9_-]{1,64}|\.[0-9a-f]{64})\Z")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True)
class Tracked:
    """One item of the list as it came; ``at`` is when it happened (RFC 3339), None where that cannot be read."""

    token: str
    item: Mapping[str, Any]
    at: str | None

    @property
    def moment(self) -> float:
        """Seconds since 1970; what has no moment comes last."""
        return float("inf") if self.at is None else seconds(self.at)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the list is read. ``order``: where new events stand. ``overlap``: pages read beyond what is known.

    ``most_pages``: where a reading ends at the latest. ``keeps``: how old an event may be (seconds).
    """

    order: Literal["newest-first", "oldest-first"] = "newest-first"
    overlap: int = 2
    most_pages: int = 1000
    keeps: float = 30 * 86400.0


#: Asks for one page by its number, from 1 on.
Page = Callable[[int], Awaitable[Answer]]


def is_token(text: str) -> bool:
    """Whether it is the name of an event of the list."""
    return _TOKEN.match(text) is not None


class Tracking:
    """One customer's list."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        #: How many pages there were at the last look; 0 before the first.
        self._pages = 0

    async def fresh(self, ask: Page, known: Iterable[str], now: float, *, is_whole: bool) -> list[Tracked]:
        """Events that are not ``known``, each once, oldest first. Raises what ``ask`` raises, and TransientFailure
        for what is no list. ``is_whole``: read every page. ``now``: seconds since 1970.
        """
        terms, done = self._terms, set(known)
        found: dict[str, Tracked] = {}
        is_newest_first = terms.order == "newest-first"
        number = 1 if is_whole or is_newest_first else max(1, self._pages - terms.overlap)
        quiet = read = 0
        while True:
            items, pages = await _read(await ask(number))
            read += 1
            fresh = [each for each in items if each.token not in done and each.moment > now - terms.keeps]
            found.update((each.token, each) for each in fresh if each.token not in found)
            quiet = 0 if fresh else quiet + 1
            is_known = is_newest_first and not is_whole and quiet > terms.overlap
            if number >= pages or is_known or read >= terms.most_pages:
                break
            number += 1
        if read >= terms.most_pages and number < pages and not found:
            raise TransientFailure(f"the tracking list has {pages} pages; most_pages lets {terms.most_pages} be read")
        self._pages = pages
        return sorted(found.values(), key=lambda each: (each.moment, each.token))


async def _read(answer: Answer) -> tuple[list[Tracked], int]:
    """The events on a page and how many pages there are."""
    return await asyncio.to_thread(page_of, answer)


def page_of(answer: Answer) -> tuple[list[Tracked], int]:
    """The events on a page and how many pages there are; raises TransientFailure where it is no page of the list."""
    value = answer.json()
    if not isinstance(value, dict):
        raise TransientFailure("the answer is no page of the tracking list", answer.status)
    embedded = value.get("_embedded")
    items = embedded.get("rh:doc") if isinstance(embedded, dict) else None
    if items is None:
        if _number(value.get("_returned")) > 0:
            raise TransientFailure("the page says that it has events, and has none", answer.status)
        if not {"_returned", "_size", "_total_pages", "_embedded"} & set(value):
            raise TransientFailure("the answer is no page of the tracking list", answer.status)
        items = []
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise TransientFailure("the answer has no list of events", answer.status)
    return [_tracked(item) for item in items if isinstance(item, dict)], _number(value.get("_total_pages"))


def _tracked(item: dict[str, Any]) -> Tracked:
    given = item.get("_id")
    its_id = given.get("$oid") if isinstance(given, dict) else given
    if isinstance(its_id, str) and _ID.match(its_id):
        token = f"track:{its_id}"
    else:
        # Without an id of its own an event is what it says.
        whole = json.dumps(item, sort_keys=True, ensure_ascii=True).encode()
        token = f"track:.{hashlib.sha256(whole).hexdigest()}"
    return Tracked(token, item, written(item.get("EventTime")))


def _number(value: Any) -> int:
    """A count that may be written as text."""
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
