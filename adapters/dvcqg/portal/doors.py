"""The portal's doors: login, dossiers, dictionaries; strict in what it takes, wrong on demand in what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from adapters.dvcqg.portal.faults import Fault, Faults, Manners
from adapters.dvcqg.portal.shape import wrong_item, wrong_step
from adapters.dvcqg.portal.table import Table

AUTH: Final = "/mapi/login"
INTEGRATION: Final = "/mapi/g"
SHARE: Final = "/mapi/s"
USERNAME: Final = "truc.mau"
#: Made up for this stand-in alone.
PASSWORD: Final = "mat-khau-mau-7"  # noqa: S105
DSTCODE: Final = "VN:GOV:mau:dvcqg"
AGENCY: Final = "000.00.00.H33"
_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_DONE: Final = "Thành công"
_DOSSIERS: Final = frozenset({"TraCuuHoSo", "DongBoHoSoMC", "CapNhatTienDoHoSoMC"})
_DICTIONARIES: Final = frozenset({"LayThuTuc", "LayDanhSachTTHC", "LayDanhMucCoQuan", "LayDanhMucLinhVuc"})

Said = tuple[int | str | None, str, Any]


@dataclass(slots=True)
class Doors:
    """What answers. ``fields``: the set of fields that it knows; ``asked``: every service that was asked, in order."""

    table: Table = field(default_factory=Table)
    faults: Faults = field(default_factory=Faults)
    manners: Manners = field(default_factory=Manners)
    fields: str = "2022"
    procedures: dict[str, Any] = field(default_factory=dict)
    agencies: list[dict[str, Any]] = field(default_factory=list)
    username: str = USERNAME
    password: str = PASSWORD
    dstcode: str = DSTCODE
    agency: str = AGENCY
    asked: list[str] = field(default_factory=list)
    logins: int = 0
    #: Delivery ids of what was taken, in order, each once.
    arrivals: list[str] = field(default_factory=list)
    _sessions: set[str] = field(default_factory=set)
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> web.Application:
        """The routes: the national services, and the two provincial variants beside them."""
        app = web.Application(client_max_size=64 << 20)
        app.add_routes([
            web.post(AUTH, self._login),
            web.post(INTEGRATION, self._integration),
            web.post(SHARE, self._share),
            web.post("/SynsTTHCC/{service}", self._bare),
            web.post("/local/{which}", self._local),
        ])  # fmt: skip
        return app

    def begin(self) -> None:
        """Answer from now on."""
        self._end.clear()

    def end(self) -> None:
        """Let go of whoever waits."""
        self._end.set()

    def expire_sessions(self) -> None:
        """Every session is worth nothing from now on."""
        self._sessions.clear()

    # ------------------------------------------------------------------------------------------------ routes

    async def _login(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "login", lambda body: self._log_in(request, body))

    async def _integration(self, request: web.Request) -> web.StreamResponse:
        return await self._service(request, _DOSSIERS)

    async def _share(self, request: web.Request) -> web.StreamResponse:
        return await self._service(request, _DICTIONARIES)

    async def _service(self, request: web.Request, services: frozenset[str]) -> web.StreamResponse:
        body = _parsed(await request.read())
        service = body.get("service") if isinstance(body, dict) else None
        if service not in services:
            self.table.violations.append(f"service {service}")
            return self._told((-1, "Dịch vụ không hợp lệ", None))
        return await self._answered(request, str(service), lambda asked: self._serve(request, asked))

    async def _bare(self, request: web.Request) -> web.StreamResponse:
        """The variant whose body is a bare list, with the parameters in the address."""
        service = request.match_info["service"]

        def serve(body: Any) -> Said:
            query = request.query
            if query.get("MaDinhDanhDV") != self.agency or not isinstance(body, list):
                return self._violated("MaDinhDanhDV")
            if service == "DongBoHoSoMC":
                return self._synchronise(body, query.get("isUpdating"))
            return self._progress(body) if service == "CapNhatTienDoHoSoMC" else (-1, "Dịch vụ không hợp lệ", None)

        return await self._answered(request, service, serve)

    async def _local(self, request: web.Request) -> web.StreamResponse:
        """The variant with three addresses."""
        which = request.match_info["which"]

        def serve(body: Any) -> Said:
            data = body.get("data") if isinstance(body, dict) else body
            if not isinstance(data, list):
                return self._violated("data")
            return self._progress(data) if which == "progress" else self._synchronise(data, str(which == "update"))

        return await self._answered(request, which, serve)

    # ---------------------------------------------------------------------------------------------- services

    def _log_in(self, request: web.Request, body: Any) -> Said:
        if request.headers.get("dstcode") != self.dstcode:
            return self._violated("dstcode")
        if not isinstance(body, dict) or (body.get("username"), body.get("password")) != (self.username, self.password):
            return -1, "Tài khoản hoặc mật khẩu không đúng", None
        self.logins += 1
        session = uuid.uuid4().hex
        self._sessions.add(session)
        return self.manners.zero, _DONE, {"session": session}

    def _serve(self, request: web.Request, body: dict[str, Any]) -> Said:
        if request.headers.get("dstcode") != self.dstcode:
            return self._violated("dstcode")
        if body.get("session") not in self._sessions:
            return _NO_SESSION
        if body.get("madonvi") != self.agency:
            return self._violated("madonvi")
        match body["service"]:
            case "TraCuuHoSo":
                return self._look_up(str(body.get("mahoso")))
            case "DongBoHoSoMC":
                return self._synchronise(body.get("data"), body.get("isUpdating"))
            case "CapNhatTienDoHoSoMC":
                return self._progress(body.get("data"))
            case "LayDanhSachTTHC":
                rows = [{"MATTHC": code, "TENTTHC": f"Thủ tục {code}"} for code in self.procedures]
                return self.manners.zero, _DONE, rows
            case "LayThuTuc":
                found = self.procedures.get(str(body.get("maTTHC")))
                return self.manners.zero, _DONE, [] if found is None else [found]
            case "LayDanhMucCoQuan":
                return self.manners.zero, _DONE, self.agencies
        return self.manners.zero, _DONE, []

    def _look_up(self, code: str) -> Said:
        kept = self.table.dossiers.get(code)
        if kept is None:
            return self.manners.zero, _DONE, []
        return self.manners.zero, _DONE, [{"MaHoSo": code, "TrangThaiHoSo": kept.status}]

    def _synchronise(self, data: Any, updating: Any) -> Said:
        if updating not in {"True", "False"}:
            return self._violated("isUpdating")
        if not isinstance(data, list) or not data:
            return self._violated("data")
        for item in data:
            wrong = wrong_item(item, self.fields, frozenset(self.table.known))
            if wrong:
                return self._violated(", ".join(wrong))
        for item in data:
            if updating == "False" and not self.table.create(item):
                return self.manners.exists, f"Hồ sơ {item['MaHoSo']} đã tồn tại", None
            if updating == "True" and not self.table.update(item):
                return -1, f"Hồ sơ {item['MaHoSo']} không tồn tại", None
        return self.manners.zero, _DONE, []

    def _progress(self, data: Any) -> Said:
        if not isinstance(data, list) or not 0 < len(data) <= 10:
            return self._violated("data")
        for step in data:
            wrong = wrong_step(step)
            if wrong:
                return self._violated(", ".join(wrong))
        for step in data:
            if not self.table.progress(step, sets_status=self.manners.last_write_wins):
                return -1, f"Hồ sơ {step['MaHoSo']} không tồn tại", None
        return self.manners.zero, _DONE, []

    def _violated(self, what: str) -> Said:
        self.table.violations.append(what)
        return -1, f"Dữ liệu không hợp lệ: {what}", None

    # ----------------------------------------------------------------------------------------------- answers

    async def _answered(self, request: web.Request, service: str, serve: Callable[[Any], Said]) -> web.StreamResponse:
        """What ``serve`` says, unless a fault strikes before or after it."""
        self.asked.append(service)
        fault = self.faults.next(service)
        if fault is not None and (odd := await self._before(request, fault)) is not None:
            return odd
        body = _parsed(await request.read())
        said: Said = _NO_SESSION if fault is not None and fault.kind == "session" else serve(body)
        if fault is not None and fault.kind == "blind":
            said = self.manners.zero, _DONE, []
        is_good = said[0] == self.manners.zero and "hành công" in said[1]
        delivery = request.headers.get("lgsp-delivery", "")
        if is_good and delivery and service not in {"login", "TraCuuHoSo"} and delivery not in self.arrivals:
            self.arrivals.append(delivery)
        if fault is not None and (odd := await self._after(request, fault, said)) is not None:
            return odd
        return self._told(said)

    async def _before(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """The answer of a portal that does nothing."""
        match fault.kind:
            case "code":
                return self._told((str(fault.value), "Có lỗi xảy ra", None))
            case "words":
                return self._told((None, str(fault.value), None))
            case "http":
                return web.Response(status=int(fault.value), text="…")
            case "html":
                return web.Response(text=_PAGE, content_type="text/html")
            case "wrong-json":
                return web.Response(text='{"error_code":0,"message":"Thành', content_type="application/json")
            case "null":
                return web.Response(text="null", content_type="application/json")
            case "reset":
                _cut_off(request)
                return web.Response()
            case "late":
                await self._wait(float(fault.value))
        return None

    async def _after(self, request: web.Request, fault: Fault, said: Said) -> web.StreamResponse | None:
        """The answer of a portal that did what it was asked, and says so badly."""
        match fault.kind:
            case "lost-reply":
                _cut_off(request)
            case "slow":
                await self._wait(float(fault.value))
            case "encoded":
                text = json.dumps(json.dumps(self._frame(said), ensure_ascii=False), ensure_ascii=False)
                return web.Response(text=text, content_type="application/json")
            case "cut":
                whole = json.dumps(self._frame(said)).encode()
                response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
                await response.prepare(request)
                await response.write(whole[: len(whole) // 2])
                _cut_off(request)
                return response
        return None

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end.wait(), seconds)

    def _told(self, said: Said) -> web.Response:
        status = self.manners.session_status if said == _NO_SESSION else 200
        return web.json_response(self._frame(said), status=status)

    def _frame(self, said: Said) -> Any:
        code, message, result = said
        frame: dict[str, Any] = {} if code is None else {"error_code": code}
        frame["message"] = message
        if isinstance(result, dict):
            frame.update(result)
        else:
            rows = [] if result is None else list(result) * (2 if self.manners.doubles else 1)
            frame["result"] = None if self.manners.nulls and not rows else rows
        if self.manners.numbers:
            frame = _numbered(frame)
        return _cased(frame, self.manners.casing)


_NO_SESSION: Final[Said] = (-1, "Phiên làm việc không hợp lệ hoặc đã hết hạn", None)


def _cut_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _cased(value: Any, casing: str) -> Any:
    if isinstance(value, dict):
        return {_name(name, casing): _cased(each, casing) for name, each in value.items()}
    return [_cased(each, casing) for each in value] if isinstance(value, list) else value


def _name(name: str, casing: str) -> str:
    return {"lower": name.lower(), "upper": name.upper()}.get(casing, name)


def _numbered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: each if name == "session" else _numbered(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbered(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 16 else value
