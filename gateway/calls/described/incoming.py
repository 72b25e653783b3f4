"""A call of the far side answered: proven, read, taken item by item, and only then told yes in the caller's words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from gateway.calls.described.given import Take
from gateway.calls.described.item import message, waiting
from gateway.calls.described.parts import Answer
from gateway.calls.described.way import NotHeard, Way
from gateway.calls.gate import Gate
from gateway.core.brought import Bringer
from gateway.core.content import Content
from gateway.core.faults import Busy, Text
from gateway.core.handover import Uncollectable
from gateway.core.rule import ABSENT, value_at
from gateway.core.visit import Call, NotReceived, Received, Reply

#: What a call may bring: bytes, and items.
_MOST_BYTES: Final = 8 << 20
_MOST_ITEMS: Final = 1000
_NOBODY: Final = Text(
    "Hệ thống này không nhận lời gọi. Đơn vị vận hành trục bổ sung mục answers trong mô tả nếu cần.",
    "This system takes no calls. The operator of the bus must add answers to the description where they are wanted.",
)
_LARGE: Final = Text(
    f"Nội dung lớn hơn {_MOST_BYTES} byte. Bên gửi hãy chia nhỏ.", f"It is over {_MOST_BYTES} bytes. Send less at once."
)
_NO_LIST: Final = Text(
    f"Không có mục nào để nhận, hoặc có hơn {_MOST_ITEMS} mục. Bên gửi xem lại nội dung rồi gửi lại.",
    f"There is no item to take, or there are over {_MOST_ITEMS}. The sender must look at what it sends.",
)


class Counter:
    """Where a far side's software calls."""

    def __init__(self, way: Way, parts: Sequence[Answer], bringer: Bringer, gate: Gate | None) -> None:
        """``gate`` proves who calls; None only where there are no parts."""
        self._way = way
        self._parts = parts
        self._bringer = bringer
        self._gate = gate

    async def answer(self, call: Call, take: Take, now: float) -> Reply:
        """The reply. Raises Rejected for who does not prove itself, and Busy after it was told in nobody's words."""
        if self._gate is not None:
            self._gate.check(call)
        try:
            if self._gate is None or not self._parts:
                raise NotHeard(404, _NOBODY)
            if call.body.size > _MOST_BYTES:
                raise NotHeard(413, _LARGE)
            heard = await asyncio.to_thread(self._read, call)
        except NotHeard as no:
            return self._way.replied(None, _refusal("bad-request", no.words), no.status)
        part, value = heard
        items = _items(part, value)
        if items is None:
            return self._way.replied(part, _refusal("bad-request", _NO_LIST), None)
        return await self._taken(part, items, take, now)

    def _read(self, call: Call) -> tuple[Answer, Any]:
        return self._way.heard(self._parts, call, _whole(call.body))

    async def _taken(self, part: Answer, items: Sequence[Any], take: Take, now: float) -> Reply:
        """Each item; the first that is refused is told, and what was taken before it is known when it comes again."""
        outcome: dict[str, Any] = {"item": items[0] if isinstance(items[0], dict) else {}}
        made = [message(part.thing, waiting(part.thing, item), self._bringer, now) for item in items]
        for each in made:
            if isinstance(each, Uncollectable):
                return self._way.replied(part, {**outcome, **_refusal(each.reason, each.detail)})
        received: list[Received] = []
        for each in made:
            assert not isinstance(each, Uncollectable)  # noqa: S101 - looked at above
            try:
                taken = await take(each)
            except Busy as busy:
                return self._way.replied(part, {**outcome, **_refusal(busy.problem, busy.detail)}, 503)
            if isinstance(taken, NotReceived):
                return self._way.replied(part, {**outcome, **_refusal(taken.problem, taken.detail)})
            received.append(taken)
        told = {"id": received[0].id, "repeated": all(each.repeated for each in received), "count": len(received)}
        return self._way.replied(part, {**outcome, "received": told})


def _items(part: Answer, value: Any) -> list[Any] | None:
    found = value_at(value, part.thing.items)
    if found is ABSENT:
        return None
    items = found if isinstance(found, list) else [found]
    return items if 0 < len(items) <= _MOST_ITEMS else None


def _refusal(problem: str, words: Text) -> dict[str, Any]:
    return {"refused": {"problem": problem, "vi": words.vi, "en": words.en}}


def _whole(content: Content) -> bytes:
    with content.open() as file:
        return file.read(_MOST_BYTES + 1)
