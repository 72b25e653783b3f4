"""Lists that can only be read by windows of days: no window longer than the service lets, the last days read again.

What was read before is known by what makes an item itself; what was not settled comes again. How far a list was read
stands in the notes, so that days on which the bus was down are read afterwards, window by window.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from adapters.ngsp.notes import Notes
from adapters.ngsp.service import Offer, Service
from gateway.calls.asking import accepted
from gateway.calls.wire import without_nulls
from gateway.core.brought import Bringer
from gateway.core.faults import DeliveryFailure, Text, TransientFailure
from gateway.core.rule import value_at
from gateway.core.rule_text import split_pointer
from gateway.core.wire_record import canonical_bytes
from gateway.ports import AdapterContext, Collected, Uncollectable

_VIET_NAM: Final = timedelta(hours=7)
_TOKEN: Final = re.compile(r"[a-z0-9-]{1,130}:[0-9a-f]{64}\Z")
#: Items that wait in memory; more of them are read again later.
_MOST_WAITING: Final = 5000
#: Windows asked for in one round of the bus.
_A_ROUND: Final = 100
#: Nor does one round ask for more windows after so many seconds: other systems wait for their turn.
_SECONDS: Final = 10.0
_KEPT_DAYS: Final = 90
#: What no rule reads of an item is kept beside it up to this size (bytes).
_MOST_BEYOND: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Window:
    """From a day to a day, both included."""

    start: date
    end: date

    @classmethod
    def first(cls, read_to: date | None, today: date, pull: Mapping[str, Any]) -> Window:
        """Where a look begins: some days before what was read, or some days before today."""
        overlap = int(pull.get("overlap_days", 3))
        back = int(pull.get("start_days", overlap))
        start = today - timedelta(days=back) if read_to is None else min(read_to, today) - timedelta(days=overlap)
        return cls.of(start, today, pull)

    @classmethod
    def of(cls, start: date, today: date, pull: Mapping[str, Any]) -> Window:
        """The window that begins on a day; never longer than ``span_days``."""
        return cls(start, min(today, start + timedelta(days=int(pull.get("span_days", 5)) - 1)))

    def next(self, today: date, pull: Mapping[str, Any]) -> Window:
        """The window after this one."""
        return self.of(self.end + timedelta(days=1), today, pull)


class Pulling:
    """All pulled lists of one system."""

    def __init__(self, context: AdapterContext, bringer: Bringer, offers: Sequence[tuple[Service, Offer]]) -> None:
        settings = context.settings
        self._context = context
        self._bringer = bringer
        self._offers = list(offers)
        self._every = float(settings.get("poll_seconds", 900))
        name = re.sub(r"[^A-Za-z0-9.-]", "_", context.system.name)
        self._notes = Notes(context.folder / str(settings.get("notes", "var/ngsp")) / f"{name}.jsonl")
        self._waiting: OrderedDict[str, Collected | Uncollectable] = OrderedDict()
        self._next_look = 0.0

    async def collect(self, limit: int) -> list[Collected | Uncollectable]:
        """What is not done with. Raises what a service raises, once nothing else waits."""
        if not self._offers:
            return []
        done, cursors = await self._read()
        for token in [token for token in self._waiting if token in done]:
            del self._waiting[token]
        if self._context.now() >= self._next_look:
            trouble = await self._look(done, cursors)
            if trouble is not None and not self._waiting:
                raise trouble
        return list(self._waiting.values())[:limit]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note it. Other tokens are nobody's."""
        if not _TOKEN.match(token):
            return
        try:
            await asyncio.to_thread(self._notes.settled, token, self._context.now(), refusal)
        except OSError as error:
            raise TransientFailure(f"the notes cannot be written: {error.strerror}") from None
        self._waiting.pop(token, None)

    async def _read(self) -> tuple[frozenset[str], dict[str, str]]:
        try:
            return await asyncio.to_thread(self._notes.read)
        except OSError as error:
            raise TransientFailure(f"the notes cannot be read: {error.strerror}") from None

    async def _look(self, done: frozenset[str], cursors: Mapping[str, str]) -> DeliveryFailure | None:
        """Read every list up to today; what failed is told once the rest was read, and looked at again next time."""
        trouble: DeliveryFailure | None = None
        for service, offer in self._offers:
            try:
                await self._pull(service, offer, done, cursors.get(f"{service.name}-{offer.name}"))
            except DeliveryFailure as failure:
                trouble = failure
        if trouble is None and len(self._waiting) < _MOST_WAITING:
            self._next_look = self._context.now() + self._every
        return trouble

    async def _pull(self, service: Service, offer: Offer, done: frozenset[str], cursor: str | None) -> None:
        name = f"{service.name}-{offer.name}"
        today = (datetime.fromtimestamp(self._context.now(), UTC) + _VIET_NAM).date()
        window = Window.first(None if cursor is None else date.fromisoformat(cursor), today, offer.pull)
        loop = asyncio.get_running_loop()
        until = loop.time() + _SECONDS
        for _ in range(_A_ROUND):
            if len(self._waiting) >= _MOST_WAITING or loop.time() > until:
                return
            record = {
                "data": {}, "query": {}, "window": {"from": window.start.isoformat(), "to": window.end.isoformat()},
            }  # fmt: skip
            reading = accepted(await service.said(offer, record), "done", "empty")
            for item in items_of(reading.payload, offer):
                self._wait(name, offer, item, record, done)
            try:
                await asyncio.to_thread(self._notes.read_to, name, window.end.isoformat(), self._context.now())
                await asyncio.to_thread(self._notes.thin, self._context.now() - _KEPT_DAYS * 86400)
            except OSError as error:
                raise TransientFailure(f"the notes cannot be written: {error.strerror}") from None
            if window.end >= today:
                return
            window = window.next(today, offer.pull)

    def _wait(self, name: str, offer: Offer, item: Any, record: Mapping[str, Any], done: frozenset[str]) -> None:
        identity = [_plain(value_at(item, split_pointer(each))) for each in offer.pull["identity"]]
        if not isinstance(item, dict) or not all(identity):
            raw = canonical_bytes(item) if isinstance(item, dict) else json.dumps(item).encode()
            token = f"{name}:{hashlib.sha256(raw).hexdigest()}"
            if token not in done:
                self._waiting.setdefault(token, Uncollectable(token, "unreadable-item", _UNREADABLE))
            return
        token = f"{name}:{hashlib.sha256(chr(0).join([name, *identity]).encode('utf-8', 'replace')).hexdigest()}"
        if token in done or token in self._waiting:
            return
        reading = offer.operation.heard_as(item, record)
        subject = None if reading.data is None else value_at(reading.data, split_pointer(offer.pull["subject"]))
        if reading.data is None or not isinstance(subject, str) or not subject:
            self._waiting[token] = Uncollectable(token, "unreadable-item", _UNREADABLE)
            return
        beyond = without_nulls(reading.beyond)
        if beyond and len(canonical_bytes(beyond)) <= _MOST_BEYOND:
            reading.data["ext"] = {self._bringer.tongue: beyond}
        self._waiting[token] = self._bringer.message(
            offer.contract, offer.version, reading.data, subject=subject, identity=[name, *identity],
            now=self._context.now(), token=token,
        )  # fmt: skip


def items_of(payload: Any, offer: Offer) -> list[Any]:
    """The items of a list that was read."""
    found = value_at({"items": payload} if isinstance(payload, list) else payload, split_pointer(offer.pull["items"]))
    if isinstance(found, list):
        return found
    return [found] if isinstance(found, dict) else []


def _plain(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


_UNREADABLE: Final = Text(
    "Mục này thiếu mã, hoặc không đọc được theo mô tả dịch vụ. Đơn vị vận hành trục đề nghị bộ quản lý dịch vụ kiểm tra"
    " dữ liệu, hoặc sửa tệp mô tả.",
    "This item has no code, or cannot be read as the service was described. The operator of the bus must ask the"
    " ministry to look at its data, or mend the description.",
)
