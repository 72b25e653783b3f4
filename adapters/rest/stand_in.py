"""An old catalogue with an interface of its own, in small: it speaks as ``example/danh-muc.toml`` describes.

Faults besides the counter's: ``twice`` (a list with each item twice), ``closed`` (410 for what is sent), ``refusal``
(codes for the next puts, one each), ``big_numbers`` (numbers as numbers, not as text).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: Made up for this stand-in alone.
_KEY: Final = "khoa-mau-danh-muc-3"
_CALLER: Final = "khoa-goi-vao-mau-4"
_DESCRIPTION: Final = "far/danh-muc.toml"


@dataclass(slots=True)
class Catalogue:
    """The software. ``procedures``: what was put there; ``queue``: what waits to be fetched."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    closed: bool = False
    refusal: list[str] = field(default_factory=list)
    big_numbers: bool = False
    procedures: dict[str, dict[str, Any]] = field(default_factory=dict)
    queue: list[Any] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    parcels: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.put("/api/thu-tuc/{ma}", self._put),
            web.get("/api/thu-tuc/{ma}", self._get),
            web.get("/api/cho-nhan", self._waiting),
            web.post("/api/da-nhan", self._taken),
            web.post("/api/tu-choi", self._refused),
            web.get("/api/thua-dat", self._land),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/api/da-nhan", "/api/tu-choi"}))

    # ------------------------------------------------------------------------------------- for those who watch

    async def arrivals(self) -> list[str]:
        """Delivery ids, each once: a key that comes again is the same request."""
        return list(dict.fromkeys(self.deliveries))

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as a procedure whose name is what the parcel's document is about."""
        data = {"code": parcel.delivery, "name": str(parcel.event["data"]["subject"]), "isActive": True}
        kind = {"type": "procedure.catalogue", "dataschema": "urn:lgsp:contract:procedure.catalogue:1.0"}
        return replace(parcel, event={**parcel.event, **kind, "subject": parcel.delivery, "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A procedure whose code is longer than the software has room for: it says -1 for ever."""
        parcel = self.fits(parcel)
        return replace(parcel, event={**parcel.event, "data": {**parcel.event["data"], "code": "x" * 90}})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """A procedure waits that is named as ``event`` is about."""
        self.queue.append(self._said(event))

    async def drop_rubbish(self) -> None:
        """An entry that says nothing but its number."""
        self.queue.append({"ma": f"hong-{len(self.queue)}", "lan": 1, "hieuLuc": "có lẽ"})

    async def waiting(self) -> list[str]:
        """Codes of what nobody took."""
        return [str(item["ma"]) for item in self.queue]

    async def refusals(self) -> list[str]:
        """What was refused, in words."""
        return list(self.refused)

    def visit(self, event: Mapping[str, Any]) -> Call:
        """The software tells of a procedure by itself."""
        return self._call(json.dumps(self._said(event), ensure_ascii=False).encode())

    def rubbish_visit(self) -> Call:
        """It tells of nothing."""
        return self._call(b'{"khong": "gi"}')

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody who does not know the key."""
        return replace(self.visit(event), fields={"authorization": "Bearer doan-mo"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the software goes on to the next."""
        try:
            return reply.status == 200 and json.loads(reply.body)["ketQua"] == "1"
        except (ValueError, KeyError, TypeError):
            return False

    def _said(self, event: Mapping[str, Any]) -> dict[str, Any]:
        effect: Any = 1 if self.big_numbers else "1"
        return {"ma": event["id"], "lan": 1, "ten": event["data"]["subject"], "hieuLuc": effect, "ghiChu": None}

    def _call(self, body: bytes) -> Call:
        fields = {"authorization": f"Bearer {_CALLER}", "content-type": "application/json"}
        return Call("POST", "thu-tuc-moi", {}, fields, InMemory(body), "127.0.0.1")

    # ----------------------------------------------------------------------------------------------- its desk

    def _is_known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {_KEY}" and not self.faults.strikes("unauthorized")

    async def _put(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return web.json_response({"ketQua": "-9"}, status=401)
        if self.closed:
            return web.json_response({}, status=410)
        if self.refusal:
            return web.json_response({"ketQua": self.refusal.pop(0)})
        body = await request.json()
        if len(body["ma"]) > 50 or body["ma"] != request.match_info["ma"]:
            return web.json_response({"ketQua": "-1", "thongBao": "Mã quá dài"})
        self.procedures[body["ma"]] = body
        self.deliveries.append(request.headers["Idempotency-Key"])
        if self.faults.strikes("lost") and request.transport is not None:
            request.transport.abort()
        return web.json_response({"ketQua": 1 if self.big_numbers else "1", "soPhieu": f"TT-{len(self.procedures)}"})

    async def _get(self, request: web.Request) -> web.Response:
        found = self.procedures.get(request.match_info["ma"])
        return web.json_response(found or {}, status=200 if found else 404)

    async def _waiting(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return web.json_response({}, status=401)
        if self.faults.strikes("missing"):
            return web.json_response({"ketQua": "1"})
        items = [*self.queue, *self.queue] if self.faults.twice else list(self.queue)
        return web.json_response({"ketQua": "1", "duLieu": items})

    async def _taken(self, request: web.Request) -> web.Response:
        return await self._done(request, is_refused=False)

    async def _refused(self, request: web.Request) -> web.Response:
        return await self._done(request, is_refused=True)

    async def _done(self, request: web.Request, *, is_refused: bool) -> web.Response:
        body = await request.json()
        found = [item for item in self.queue if str(item["ma"]) == body["ma"] and str(item["lan"]) == body["lan"]]
        if not found:
            return web.json_response({"ketQua": "0"}, status=404)
        self.queue.remove(found[0])
        if is_refused:
            self.refused.append(body["lyDo"])
        return web.json_response({"ketQua": "1"})

    async def _land(self, request: web.Request) -> web.Response:
        found = self.parcels.get((request.query["to"], request.query["thua"]))
        if found is None:
            return web.json_response({"ketQua": "0"})
        return web.json_response({"ketQua": "1", "thua": {"danhSach": found}})


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Catalogue]:
    """The software at a free port of this machine; its description and keys lie in ``folder``."""
    catalogue = Catalogue()
    await catalogue.counter.start()
    for name, key in (("keys/danh-muc.key", _KEY), ("keys/danh-muc.goi", _CALLER)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{key}\n")
    (folder / _DESCRIPTION).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).parent / "example/danh-muc.toml", folder / _DESCRIPTION)
    catalogue.settings = {
        "url": f"{catalogue.counter.url}/api",
        "description": _DESCRIPTION,
        "account": {"profile": "apikey", "key_file": "keys/danh-muc.key", "unit": "H33"},
        "caller_secret_file": "keys/danh-muc.goi",
        "poll_seconds": 0,
        "timeout": 5,
    }
    try:
        yield catalogue
    finally:
        await catalogue.counter.stop()
