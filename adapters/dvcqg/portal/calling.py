"""The portal calls a province: dossiers filed there, notices of tax, bills asked for; by HTTP, as often as told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

#: How an item comes: bare, under ``data``, or as JSON in a text.
Wrapping = Literal["bare", "data", "list", "text"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the province answered."""

    service: str
    status: int
    body: Any

    @property
    def is_yes(self) -> bool:
        """Whether the portal takes it for success."""
        return self.status == 200 and isinstance(self.body, dict) and is_zero(self.body.get("error_code"))


def is_zero(code: Any) -> bool:
    """Whether a code says that all went well."""
    return str(code) in {"0", "00"}


def wrapped(item: Mapping[str, Any], wrapping: Wrapping) -> Any:
    """The body of a call that brings ``item``."""
    match wrapping:
        case "data":
            return {"data": [item]}
        case "list":
            return [item]
        case "text":
            return {"data": json.dumps([item], ensure_ascii=False)}
    return item


@dataclass(slots=True)
class Calling:
    """Calls one province's door. ``twice``: every call is made a second time, as if the answer had been lost."""

    door: str
    secret: str = ""
    twice: bool = False
    heard: list[Heard] = field(default_factory=list)

    async def call(self, service: str, body: Any) -> Heard:
        """Make one call; what was answered (the last time)."""
        fields = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        answer = Heard(service, 0, None)
        async with aiohttp.ClientSession(headers=fields) as session:
            for _ in range(2 if self.twice else 1):
                async with session.post(f"{self.door.rstrip('/')}/{service}", json=body) as response:
                    raw = await response.read()
                try:
                    said = json.loads(raw)
                except ValueError:
                    said = None
                answer = Heard(service, response.status, said)
                self.heard.append(answer)
        return answer

    async def file(self, item: Mapping[str, Any], wrapping: Wrapping = "bare") -> Heard:
        """A dossier was filed at the portal."""
        return await self.call("nhanhsdvcqg", wrapped(item, wrapping))

    async def tax(self, notice: Mapping[str, Any]) -> Heard:
        """A tax office wants something paid."""
        return await self.call("nhantbthuedvcqg", notice)

    async def promotion(self, item: Mapping[str, Any]) -> Heard:
        """A notice of sales promotion was filed."""
        return await self.call("addtthcKhuyenMai", item)

    async def bill(self, code: str) -> Heard:
        """Somebody wants to pay."""
        return await self.call("dptracuuthanhtoanhs", {"MaHoSo": code})
