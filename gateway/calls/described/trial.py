"""A described far side tried on samples: what would be asked of it, and what would come of what it says.

The exchange is the real one up to the moment at which it would leave: what is shown is what would be sent. Secrets are
not read: stars stand in their place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from gateway.calls.asking import Place
from gateway.calls.caller import Answer, Body, Caller
from gateway.calls.described.given import Given
from gateway.calls.described.item import message, waiting
from gateway.calls.described.parts import Thing
from gateway.calls.described.service import FarSide
from gateway.calls.described.way import NotHeard, Way
from gateway.calls.profiles import A, Proof
from gateway.core.content import InMemory
from gateway.core.faults import DeliveryFailure, Text
from gateway.core.handover import Uncollectable
from gateway.core.operation import Operation
from gateway.core.rule import ABSENT, value_at
from gateway.core.sketch import Sketch
from gateway.core.visit import Call

MASK: Final = "***"
_MOST_SAMPLE: Final = 8 << 20
_MOST_SHOWN: Final = 100
_DELIVERY: Final = "00000000-0000-0000-0000-000000000000"


class _Left(Exception):
    """What would have left."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__("shown")
        self.request = request


class _Shown(Caller):
    """A caller that calls nobody."""

    def __init__(self, base: str) -> None:
        super().__init__(base, user_agent="")
        self._shown = base.rstrip("/")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
        within: float | None = None,
        most: int = 0,
        is_large: bool = False,
    ) -> Answer:
        """Raises what would be asked."""
        del within, most, is_large
        self._leave(method, path, params or {}, fields or {}, body)

    def _leave(
        self, method: str, path: str, params: Mapping[str, str], fields: Mapping[str, str], body: Body | None
    ) -> NoReturn:
        address = f"{self._shown}/{path.lstrip('/')}" if path.strip("/") else self._shown
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
        raise _Left(
            {"method": method, "address": address, "params": dict(params), "fields": dict(fields), "body": text}
        )


class _Masked:
    """A proof that is not shown."""

    def __init__(self, profile: str) -> None:
        self._profile = profile

    async def proven(self, ask: Callable[[Proof], Any], officer: str = "") -> A:
        """Ask with stars."""
        del officer
        fields = {} if self._profile == "none" else {"Authorization": f"{MASK} ({self._profile})"}
        found: A = await ask(Proof(fields))
        return found

    async def close(self) -> None:
        """Nothing is kept."""


class Trial:
    """``gateway.ports.adapter.Trying`` of a described far side."""

    def __init__(self, side: FarSide, way: Way, context: Given) -> None:
        self._side = side
        self._way = way
        self._context = context
        settings = context.settings
        profile = str(settings.get("account", {}).get("profile", "none"))
        self._place = Place(_Shown(str(settings["url"])), _Masked(profile), context.now, side.parts.fields)

    @property
    def parts(self) -> Sequence[str]:
        """Names of lists and calls; contracts of messages and queries, whose answers can be shown."""
        parts = self._side.parts
        things = [each.thing.name for each in parts.collects] + [each.thing.name for each in parts.answers]
        return things + [each.contract for each in parts.sends] + [each.contract for each in parts.asks]

    async def outgoing(self, event: Mapping[str, Any]) -> Sketch:
        """What would be asked for a message or a query."""
        side, name = self._side, str(event.get("type"))
        try:
            if any(part.contract == name for part in side.parts.asks):
                return await self._asked(name, side.ask_of(event).call, side.questioning(event))
            send = side.send_of(event)
            fields = {send.idempotency: _DELIVERY} if send.idempotency else {}
            return await self._asked(name, send.call, side.outward(event, _DELIVERY), fields)
        except DeliveryFailure as failure:
            return Sketch(name, troubles=(_told(failure),))

    async def incoming(self, part: str, sample: bytes) -> Sketch:
        """What would come of an answer, an item or a call."""
        if len(sample) > _MOST_SAMPLE:
            return Sketch(part, troubles=(Text("Mẫu quá lớn", "The sample is too large"),))
        return await asyncio.to_thread(self._heard, part, sample)

    async def _asked(
        self, name: str, call: Operation, record: Mapping[str, Any], fields: Mapping[str, str] | None = None
    ) -> Sketch:
        place = Place(
            self._place.caller, self._place.profile, self._place.now, {**self._place.fields, **(fields or {})}
        )
        try:
            await place.said(call, record, delivery=str(record.get("delivery", "")))
        except _Left as left:
            return Sketch(name, request=left.request)
        return Sketch(name)

    def _heard(self, part: str, sample: bytes) -> Sketch:
        parts = self._side.parts
        for collect in parts.collects:
            if collect.thing.name == part:
                reading = collect.call.read(200, sample)
                return self._items(collect.thing, reading.payload, reading.kind)
        for answer in parts.answers:
            if answer.thing.name == part:
                call = Call(answer.verb, answer.path, {}, {}, InMemory(sample), "")
                try:
                    heard = self._way.heard((answer,), call, sample)
                except NotHeard as no:
                    return Sketch(part, troubles=(no.words,))
                return self._items(answer.thing, heard.value, "done")
        for send in parts.sends:
            if send.contract == part:
                return Sketch(part, troubles=(_meaning(send.call.read(200, sample).kind),))
        for ask in parts.asks:
            if ask.contract == part:
                reading = ask.call.read(200, sample)
                if reading.data is None:
                    return Sketch(part, troubles=(_meaning(reading.kind),))
                said = {"type": ask.answer, "version": ask.answer_version, "subject": "", "data": reading.data}
                return Sketch(part, said=(said,))
        return Sketch(part, troubles=(Text(f"Không có phần {part}", f"There is no part {part}"),))

    def _items(self, thing: Thing, payload: Any, kind: str) -> Sketch:
        found = value_at(payload, thing.items) if kind == "done" else ABSENT
        if kind != "done" or found is ABSENT:
            at = "/" + "/".join(thing.items)
            no_list = Text(f"Không có gì ở {at}", f"There is nothing at {at}")
            return Sketch(thing.name, troubles=(_meaning(kind), *((no_list,) if kind == "done" else ())))
        said: list[dict[str, Any]] = []
        troubles: list[Text] = []
        for item in (found if isinstance(found, list) else [found])[:_MOST_SHOWN]:
            each = message(thing, waiting(thing, item), self._side.bringer, self._context.now())
            if isinstance(each, Uncollectable):
                troubles.append(each.detail)
                continue
            troubles += each.warnings
            event = each.event
            said.append(
                {"type": thing.contract, "version": thing.version, "subject": event["subject"], "data": event["data"]}
            )
        return Sketch(thing.name, said=tuple(said), troubles=tuple(troubles))


def _told(failure: DeliveryFailure) -> Text:
    return Text(f"Không gửi được: {failure.detail}", f"It cannot be sent: {failure.detail}")


def _meaning(kind: str) -> Text:
    return Text(f"Câu trả lời này có nghĩa: {kind}", f"This answer means: {kind}")
