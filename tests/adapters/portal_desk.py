"""The national portal in small, the adapter before it, and what the bus knows of dossiers: worked out by the core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from adapters.dvcqg import adapter as kind
from adapters.dvcqg.stand_in import Portal, agency
from gateway.core.content import InMemory
from gateway.core.dossiers.code import compared
from gateway.core.dossiers.composed import composed
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import Told
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.reading import event_of
from gateway.core.moments import parse_moment
from gateway.core.visit import Call, NotReceived, Received
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel
from tests.adapters.fitting import Hands

#: The smallest file that everybody takes for a PDF.
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
CODE = "000.00.05.H33-261123-0001"
ONE_STOP, DISTRICT, PORTAL = "H33.05", "H33.40", "H33.16"


class Said(NamedTuple):
    """A message as the register reads it."""

    type: str
    version: str
    time: float
    data: Any


def moment(day: int, hour: int = 8, minute: int = 0) -> str:
    """A moment of November 2026 in Viet Nam."""
    return f"2026-11-{day:02}T{hour:02}:{minute:02}:00+07:00"


def status(code: int, day: int, hour: int = 8) -> dict[str, Any]:
    return {"code": code, "at": moment(day, hour)}


def registration(code: str = CODE, *, at: int = 2, day: int = 2, **override: Any) -> dict[str, Any]:
    """A dossier that the one-stop received; ``None`` leaves a member out."""
    made = {
        "dossierCode": code,
        "procedure": {"code": "2.002492", "name": "Thủ tục mẫu"},
        "field": {"code": "G03-TC01", "name": "Tài chính"},
        "agency": {"code": ONE_STOP, "name": "Sở Tài chính"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "phone": "0900000000"},
        "abstract": "Hồ sơ mẫu",
        "receivedAt": moment(day),
        "dueAt": moment(20, 17),
        "status": status(at, day),
        "resultDelivery": "counter",
        **override,
    }
    return {name: value for name, value in made.items() if value is not None}


def progress(at: int, day: int, *, code: str = CODE, **more: Any) -> dict[str, Any]:
    """A step of an office."""
    return {
        "dossierCode": code,
        "at": moment(day),
        "status": status(at, day),
        "officer": {"name": "Nguyễn Văn Mẫu", "title": "Chuyên viên"},
        "department": "Phòng Đăng ký",
        "content": f"Bước ngày {day}",
        **more,
    }


@dataclass(slots=True)
class Desk:
    """One adapter facing the portal. What is said is known to the register at once, as the bus has it."""

    portal: Portal
    hands: Hands
    context: AdapterContext
    adapter: kind.Dvcqg
    taken: list[Collected] = field(default_factory=list)
    instead: Exception | NotReceived | None = None
    _lines: dict[str, list[Told]] = field(default_factory=dict)
    _data: dict[str, dict[str, Any]] = field(default_factory=dict)

    def say(self, contract: str, data: Mapping[str, Any], *, agency: str = ONE_STOP, version: str = "1.0") -> Parcel:
        """A message on its way to the portal: the register knows it from now on."""
        version = "2.0" if contract in _TWO else version
        code = str(data["dossierCode"])
        message = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{agency} {contract} {json.dumps(data, sort_keys=True)}"))
        sent = Said(contract, version, parse_moment("2026-12-01T08:00:00+07:00") or 0.0, data)
        line = event_of(sent, agency, (PORTAL, ONE_STOP), lambda each: each, is_portal=agency == PORTAL)
        assert line is not None
        lines = self._lines.setdefault(compared(code), [])
        if message not in self._data:
            lines.append(Told(len(self._data), message, f"{agency}/mcdt", sent.time, line))
            self._data[message] = dict(data)
        self.hands.dossiers[code] = self.known(code)
        event = {
            "specversion": "1.0", "id": message, "source": f"{agency}/mcdt", "type": contract,
            "dataschema": f"urn:lgsp:contract:{contract}:{version}", "subject": code, "time": moment(23),
            "datacontenttype": "application/json", "purpose": "giai-quyet-tthc", "data": dict(data),
        }  # fmt: skip
        return Parcel(
            str(uuid.uuid5(uuid.NAMESPACE_URL, f"delivery {message}")), message, 1, self.context.system,
            json.dumps(event).encode(), event, "jws", is_translated=False,
        )  # fmt: skip

    def known(self, code: str) -> Dossier:
        """The dossier by all that was said."""
        found = dossier_of(compared(code), self._lines[compared(code)])
        return replace(found, record=composed(found, self._data))

    async def tell(self, contract: str, data: Mapping[str, Any], **more: Any) -> HandedOver:
        """Say it, and hand it over."""
        return await self.adapter.deliver(self.say(contract, data, **more))

    async def take(self, item: Collected) -> Received | NotReceived:
        """Take what a call brings."""
        if isinstance(self.instead, Exception):
            raise self.instead
        if self.instead is not None:
            return self.instead
        known = any(each.event["id"] == item.event["id"] for each in self.taken)
        if not known:
            self.taken.append(item)
        return Received(str(item.event["id"]), repeated=known)

    async def call(self, path: str, body: Any, secret: str = "khoa-cua-cong-mau-9") -> Any:
        """A call of the portal's: what it is answered, as JSON; ``body`` as it is where it is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        call = Call("POST", path, {}, {"authorization": f"Bearer {secret}"}, InMemory(raw), "127.0.0.1")
        reply = await self.adapter.answer(call, self.take)
        return json.loads(reply.body)


_TWO = {"dossier.registered", "dossier.supplemented", "dossier.result-issued"}


@contextlib.asynccontextmanager
async def a_file_host(*answers: web.Response | float) -> AsyncIterator[str]:
    """A host whose files /0, /1 ... are so answered; a number is how many seconds it takes."""

    async def answer(request: web.Request) -> web.Response:
        found = answers[int(request.match_info["number"])]
        if isinstance(found, web.Response):
            return found
        await asyncio.sleep(found)
        return web.Response(body=PDF)

    app = web.Application()
    app.router.add_get("/{number}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def a_desk(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    """A desk whose settings may be overridden; ``None`` leaves one out."""
    async with agency(folder) as portal:
        merged = {**portal.settings, **settings}
        hands = Hands(folder)
        context = hands.context("dvcqg", {name: value for name, value in merged.items() if value is not None})
        opened = kind.open_adapter(context)
        try:
            yield Desk(portal, hands, context, opened)
        finally:
            await opened.close()
