"""The national services tried on samples: what would be asked, and what an answer would become; nothing is sent.

What proves the asker is left out of what is shown: no secret is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.ngsp.pulling import items_of
from adapters.ngsp.service import Offer, Service
from gateway.core.faults import DeliveryFailure, Text
from gateway.core.operation import Reading, encoded
from gateway.core.sketch import Sketch

_MOST_SAMPLE: Final = 8 << 20
_MOST_SHOWN: Final = 100


class Trial:
    """``gateway.ports.adapter.Trying`` of the services in use; a part is ``SERVICE-OPERATION``."""

    def __init__(self, offers: Sequence[tuple[Service, Offer]]) -> None:
        """``offers`` in the order in which they are looked through."""
        self._offers = {f"{service.name}-{offer.name}": (service, offer) for service, offer in offers}

    @property
    def parts(self) -> Sequence[str]:
        """Every operation in use."""
        return list(self._offers)

    async def outgoing(self, event: Mapping[str, Any]) -> Sketch:
        """What would be asked for a query or a message."""
        data = event.get("data")
        for part, (service, offer) in self._offers.items():
            if offer.use == "pull" or not offer.suits(str(event.get("type")), data):
                continue
            asked = {"id": event.get("id", "0" * 36), "contract": event.get("type"), "purpose": event.get("purpose")}
            try:
                made = offer.operation.request({"data": data, "query": asked, "values": service.values})
                raw, kind, params = encoded(made.format, offer.operation.body(made.value))
            except DeliveryFailure as failure:
                told = Text(f"Không hỏi được: {failure.detail}", f"It cannot be asked: {failure.detail}")
                return Sketch(part, troubles=(told,))
            return Sketch(
                part,
                {
                    "method": made.verb,
                    "address": service.address + made.path,
                    "params": dict(params or {}),
                    "fields": {**({"Content-Type": kind} if kind else {}), **service.fields, **made.fields},
                    "body": (raw or b"").decode("utf-8", "replace"),
                },
            )
        return Sketch(str(event.get("type")), troubles=(_NOBODY,))

    async def incoming(self, part: str, sample: bytes) -> Sketch:
        """What would come of an answer of one operation."""
        known = self._offers.get(part)
        if known is None or len(sample) > _MOST_SAMPLE:
            return Sketch(part, troubles=(Text("Không có phần này, hoặc mẫu quá lớn", "No such part, or too large"),))
        return await asyncio.to_thread(_heard, part, *known, sample)


def _heard(part: str, service: Service, offer: Offer, sample: bytes) -> Sketch:
    asked = {"data": {}, "query": {}, "values": service.values}
    reading = offer.operation.read(200, sample, asked)
    found: list[Reading] = [reading]
    if offer.use == "pull" and reading.kind == "done":
        items = items_of(reading.payload, offer)
        found = [offer.operation.heard_as(item, asked) for item in items[:_MOST_SHOWN]]
    said = [
        {"type": offer.answer or offer.contract, "version": offer.version or "1.0", "subject": "", "data": each.data}
        for each in found
        if each.data is not None
    ]
    troubles = [_meaning(each.kind) for each in found if each.data is None and offer.use != "push"]
    return Sketch(part, said=said, troubles=troubles or ([_meaning(reading.kind)] if offer.use == "push" else []))


def _meaning(kind: str) -> Text:
    return Text(f"Câu trả lời có nghĩa: {kind}", f"The answer means: {kind}")


_NOBODY: Final = Text(
    "Không dịch vụ nào đang dùng nhận nội dung này; xem services trong cấu hình và when trong mô tả.",
    "No service in use takes this; look at services in the settings and at when in the descriptions.",
)
