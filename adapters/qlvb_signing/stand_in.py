"""A document management system in small, written from the facts page: takes drafts, and calls back what came of them.

A draft that comes again is known by its ``IDHoSo``. Faults besides the counter's: ``twice_back`` (each call back is
made twice), ``names_nothing`` (it names neither dossier nor request), ``delay`` (up to so many seconds, by chance,
before a call back), ``held`` (calls back wait for :meth:`System.release`, which may turn their order round).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: Made up for this stand-in alone.
TOKEN: Final = "the-mau-cua-van-ban-11"  # noqa: S105
CALLER: Final = "khoa-goi-ve-mau-12"
CODE: Final = "000.00.00.H33-261123-0001"
_NEEDED: Final = {"IDHoSo", "MaHoSo", "TenHoSo", "VanBanDuThao"}
_DATES: Final = ("HanXuLyVanBan",)


@dataclass(slots=True)
class Draft:
    """A draft that came, and under which delivery id it came first."""

    body: dict[str, Any]
    delivery: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Said:
    """A call back and what it was answered."""

    path: str
    body: dict[str, Any]
    status: int
    answer: dict[str, Any]


@dataclass(slots=True)
class System:
    """The system. ``door``: where it calls back to where a draft does not say it (HccLinkAPI)."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    door: str = ""
    twice_back: bool = False
    names_nothing: bool = False
    delay: float = 0.0
    held: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(11))  # noqa: S311 - which delay, no more
    drafts: dict[str, Draft] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    waits: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [web.post("/qlvb/GuiHoSo", self._draft)]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/qlvb/GuiHoSo"}))

    # ------------------------------------------------------------------------------------- for those who watch

    async def sign(
        self, request_id: str, outcome: str, file: bytes | None = None, *, reason: str = "", name: str = "ket-qua.pdf"
    ) -> list[int]:
        """Say what came of a draft: ``outcome`` 01 to 04, with the signed file. What each call was told."""
        draft = self.drafts[request_id].body
        issued = "23/11/2026" if outcome == "01" else None
        document: dict[str, Any] = {
            "TrichYeu": draft["VanBanDuThao"].get("TrichYeu", ""), "LoaiVanBan": "Quyết định",
            "NgayBanHanh": issued, "NgayKy": "23/11/2026", "NguoiKy": "Nguyễn Văn Mẫu",
            "ChucVu": "Giám đốc", "NguoiSoan": None, "SoKyHieu": "12/QĐ-STC",
            "DinhKem": [] if file is None else [{"Ten": name, "Base64": base64.b64encode(file).decode()}],
        }  # fmt: skip
        body: dict[str, Any] = {"LoaiKetQua": outcome, "VanBanDi": document}
        if not self.names_nothing:
            body |= {"IDHoSo": request_id, "MaHoSo": draft["MaHoSo"]}
        if reason:
            body["LyDo"] = reason
        return await self._back(draft.get("HccLinkAPI", self.door), "", body)

    async def trace(self, request_id: str, state: str) -> list[int]:
        """Say how far a draft has got."""
        draft = self.drafts[request_id].body
        body = {"MaVanBan": draft["MaHoSo"], "TrangThai": state}
        return await self._back(draft.get("HccLinkAPI", self.door), "/CapNhatTrangThaiVanBan", body)

    async def release(self, *, reverse: bool = False) -> list[int]:
        """Make the calls back that were held."""
        waits, self.waits = self.waits, []
        return [await self._call(url, body) for url, body in (reversed(waits) if reverse else waits)]

    async def arrivals(self) -> list[str]:
        """Delivery ids of the drafts, each under the id by which it came first."""
        return [draft.delivery for draft in self.drafts.values()]

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as a draft whose abstract is what the parcel's document is about."""
        subject = str(parcel.event["data"].get("subject", ""))
        data = {
            "dossierCode": CODE, "requestId": parcel.delivery, "title": "Hồ sơ mẫu",
            "draft": {"abstract": subject, "attachments": []},
        }  # fmt: skip
        kind = {"type": "signing.requested", "dataschema": "urn:lgsp:contract:signing.requested:1.0"}
        return replace(parcel, event={**parcel.event, **kind, "subject": CODE, "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A message that asks nobody to sign."""
        return replace(parcel, event={**parcel.event, "type": "document.issued"})

    def visit(self, event: Mapping[str, Any]) -> Call:
        """A call back that says what the event is about."""
        document = {"TrichYeu": event["data"].get("subject", ""), "SoKyHieu": "12/QĐ-STC"}
        body = {"LoaiKetQua": "04", "IDHoSo": event["id"], "MaHoSo": CODE, "VanBanDi": document}
        return _visit(json.dumps(body).encode(), CALLER)

    def rubbish_visit(self) -> Call:
        """A call back that is no JSON."""
        return _visit(b"rubbish", CALLER)

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """A call back by somebody else."""
        return replace(self.visit(event), fields={"authorization": "Bearer doan-mo"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the system takes the answer for a yes."""
        value = json.loads(reply.body)
        return reply.status == 200 and value["error"]["code"] == 0

    # ------------------------------------------------------------------------------------------------ the doors

    async def _draft(self, request: web.Request) -> web.Response:
        if self.faults.strikes("unauthorized") or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _told("401", "token", status=401)
        raw = await request.read()
        body = json.loads(raw)
        told = body.get("ThamSoAn", "{}")
        is_sound = set(body) >= _NEEDED and isinstance(told, str) and isinstance(json.loads(told), dict)
        if not is_sound or not all(len(body[name]) == 14 and body[name].isdigit() for name in _DATES if name in body):
            return _told("22", "IDHoSo, MaHoSo, TenHoSo, VanBanDuThao")
        if self.faults.refusal:
            return _told(self.faults.refusal.pop(0), "…")
        known = self.drafts.get(body["IDHoSo"])
        if known is None:
            self.drafts[body["IDHoSo"]] = Draft(body, request.headers.get("lgsp-delivery", ""))
        else:
            known.times += 1
        if self.faults.strikes("missing"):
            return web.json_response({})
        return web.json_response({"data": f"VB-{body['IDHoSo']}", "error": {"code": 0, "userMessage": ""}})

    async def _back(self, door: str, path: str, body: dict[str, Any]) -> list[int]:
        await asyncio.sleep(self.chance.uniform(0, self.delay))
        url = door.rstrip("/") + path
        calls = [(url, body)] * (2 if self.twice_back else 1)
        if self.held:
            self.waits += calls
            return []
        return [await self._call(*each) for each in calls]

    async def _call(self, url: str, body: dict[str, Any]) -> int:
        fields = {"Authorization": f"Bearer {CALLER}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=json.dumps(body).encode(), headers=fields) as answer,
        ):
            self.said.append(Said(url, body, answer.status, json.loads(await answer.read())))
            return answer.status


def _visit(body: bytes, secret: str) -> Call:
    return Call("POST", "", {}, {"authorization": f"Bearer {secret}"}, InMemory(body), "127.0.0.1")


def _told(code: str, words: str, *, status: int = 200) -> web.Response:
    error = {"code": code, "internalMessage": words, "userMessage": words}
    return web.json_response({"data": None, "error": error}, status=status)


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[System]:
    """A system whose settings fit the adapter beside this file; its secrets are files under ``folder``."""
    system = System()
    await system.counter.start()
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys" / "qlvb.token").write_text(f"{TOKEN}\n")
    (folder / "keys" / "qlvb.caller").write_text(f"{CALLER}\n")
    system.settings = {
        "url": f"{system.counter.url}/qlvb", "token_file": "keys/qlvb.token", "to": ["H33.16"],
        "caller_secret_file": "keys/qlvb.caller", "reason_member": "LyDo", "timeout": 5,
    }  # fmt: skip
    try:
        yield system
    finally:
        await system.counter.stop()
