"""A one-stop office in small: its own dossiers, a sync flag of 0 or 1 as its only memory, and the habits of real ones.

It takes the bus for the national portal and sends by its cycle (look up, sync, progress). What the bus posts it takes
strictly, and answers with its quirks. Forwarding has no national wire shape: it goes to ``/v1/messages`` as an event.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from aiohttp import web

from adapters.onestop.book import LISTS, Book, Kept
from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.core.visit import Call, Reply
from gateway.ports import Parcel

Variant = Literal["ocps", "hgg", "thh"]

USERNAME: Final = "motcua.mau"
#: Made up for this stand-in alone.
PASSWORD: Final = "mat-khau-mot-cua"  # noqa: S105
KEY: Final = "khoa-cua-mot-cua"
HEADER: Final = "X-API-Key"
_CHUNK: Final = 10
_NEEDED: Final = ("MaHoSo", "MaTTHC", "ChuHoSo", "TrangThaiHoSo", "TaiLieuNop")
_DATES: Final = ("NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy")


@dataclass(slots=True)
class Office(Book):
    """The office. ``door`` is the one URL that was changed in its settings."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    login_settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    variant: Variant = "ocps"
    agency: str = "H33.16"
    system: str = "H33.16/motcua"
    door: str = ""
    #: What the bus posted, with the delivery's id; and what this office noted of errors.
    posts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _session: str = ""
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post("/nhanhsdvcqg", self._take),
            web.post("/nhantbthuedvcqg", self._take),
            web.get("/tep/{name}", self._file),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/nhanhsdvcqg", "/nhantbthuedvcqg"}))

    async def forward(
        self, bus: str, token: str, code: str, to: str, due: str, *, number: int = 1, child: str = ""
    ) -> int:
        """Hand a dossier on to another agency, as an event of the bus itself; the status of the answer.

        ``due`` is RFC 3339; ``token`` the bearer token of this system (registered with sealing = "gateway").
        """
        item = self.dossiers[code].item
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat()
        data = {
            "dossierCode": code,
            "hop": {
                "number": number, "from": {"code": self.agency}, "to": {"code": to}, "forwardedAt": now, "dueAt": due,
            },
            "dossier": {
                "procedure": {"code": item["MaTTHC"], "name": item["TenTTHC"]},
                "applicant": {"name": item["ChuHoSo"], "kind": "citizen"},
            },
            **({"child": {"dossierCode": child}} if child else {}),
        }  # fmt: skip
        event = {
            "specversion": "1.0", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{code}:{number}:{to}")),
            "source": self.system, "type": "dossier.forwarded",
            "dataschema": "urn:lgsp:contract:dossier.forwarded:1.0", "subject": code, "time": now,
            "datacontenttype": "application/json", "to": to, "purpose": "giai-quyet-tthc", "data": data,
        }  # fmt: skip
        fields = {"Content-Type": "application/cloudevents+json", "Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{bus}/v1/messages", data=json.dumps(event).encode(), headers=fields) as answer,
        ):
            return answer.status

    # ------------------------------------------------------------------------------------------- what it sends

    async def cycle(self) -> None:
        """Sync whatever has flag 0, then its steps. Errors are noted; the flag stays 0, unless it forgets."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.habits.patience)) as http:
            for code, kept in list(self.dossiers.items()):
                if not kept.is_synced and (await self._sync(http, code, kept) or self.habits.forgets):
                    kept.is_synced = kept.was_synced = True
                waiting = kept.steps[kept.sent_steps :]
                self.chance.shuffle(waiting) if self.habits.shuffles else None
                for at in range(0, len(waiting), _CHUNK):
                    chunk = waiting[at : at + _CHUNK]
                    if await self._call(http, "CapNhatTienDoHoSoMC", chunk) or self.habits.forgets:
                        kept.sent_steps += len(chunk)

    def unsent(self) -> list[str]:
        """Codes whose flag is 0, or of which steps wait."""
        return [code for code, kept in self.dossiers.items() if not kept.is_synced or kept.sent_steps < len(kept.steps)]

    async def _sync(self, http: aiohttp.ClientSession, code: str, kept: Kept) -> bool:
        is_updating = kept.was_synced
        if self.variant == "ocps":
            found = await self._call(http, "TraCuuHoSo", code)
            is_updating = isinstance(found, dict) and bool(found.get("result"))
        return bool(await self._call(http, "DongBoHoSoMC", [self.wire(kept.item)], is_updating=is_updating))

    async def _call(
        self, http: aiohttp.ClientSession, service: str, data: Any, *, is_updating: bool = False
    ) -> dict[str, Any] | None:
        """One call; None, with a word noted, for whatever went wrong."""
        said = await self._said(http, service, data, is_updating=is_updating)
        if self.habits.twice:
            said = await self._said(http, service, data, is_updating=is_updating)
        return said

    async def _said(
        self, http: aiohttp.ClientSession, service: str, data: Any, *, is_updating: bool
    ) -> dict[str, Any] | None:
        try:
            if self.variant == "ocps" and not self._session:
                answer = await self._post(http, "", {"username": USERNAME, "password": PASSWORD})
                self._session = str(answer.get("session", ""))
            path, body = self._written(service, data, is_updating=is_updating)
            answer = await self._post(http, path, body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.errors.append(type(error).__name__)
            return None
        by_words = "thành công" in str(answer.get("message")).lower()
        if not (by_words if self.habits.by_words else str(answer.get("error_code")) in {"0", "00"}):
            # It knows no other reason than its session.
            self._session = ""
            self.errors.append(str(answer.get("message")))
            return None
        return answer

    def _written(self, service: str, data: Any, *, is_updating: bool) -> tuple[str, Any]:
        """The path and the body of a call in this office's variant."""
        if self.variant == "hgg":
            return f"SynsTTHCC/{service}?MaDinhDanhDV={self.agency}&isUpdating={is_updating}", data
        if self.variant == "thh":
            path = "progress" if service != "DongBoHoSoMC" else "update" if is_updating else "add"
            return path, data
        body: dict[str, Any] = {"session": self._session, "madonvi": self.agency, "service": service}
        if service == "TraCuuHoSo":
            return "", {**body, "mahoso": data}
        return "", {**body, "isUpdating": str(is_updating), "data": data}

    async def _post(self, http: aiohttp.ClientSession, path: str, body: Any) -> dict[str, Any]:
        fields = {"dstcode": "VN:GOV:mau", HEADER: KEY}
        async with http.post(f"{self.door.rstrip('/')}/{path}", json=body, headers=fields) as answer:
            said = await answer.json(content_type=None)
            return said if isinstance(said, dict) else {}

    # ------------------------------------------------------------------------------------------ what it takes

    async def _take(self, request: web.Request) -> web.Response:
        """Strict: what is not as the portal writes it is refused."""
        try:
            body = json.loads(await request.read())
            (item,) = body["data"]
        except (ValueError, KeyError, TypeError):
            return self._answer("-1", "Dữ liệu không đúng")
        if (wrong := _wrong(item)) is not None:
            self.errors.append(f"bus: {wrong}")
            return self._answer("-1", f"Sai {wrong}")
        delivery = request.headers.get("lgsp-delivery", "")
        before = self.dossiers.get(item["MaHoSo"])
        is_there = any(each[1:] == (request.path, item) for each in self.posts)
        self.posts.append((delivery, request.path, item))
        if is_there:
            return self._answer("3", "Hồ sơ đã tồn tại")
        if before is None:
            self.dossiers[item["MaHoSo"]] = Kept(dict(item), is_synced=True)
        else:
            before.item.update({name: value for name, value in item.items() if value})
        return self._answer(self.habits.zeros, "Thành công")

    def _answer(self, code: Any, words: str) -> web.Response:
        if self.habits.words_only:
            return web.Response(text=words)
        return web.json_response({"error_code": code, "message": words})

    async def _file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["name"])
        if content is None:
            return web.Response(text="<html>Đăng nhập</html>", content_type="text/html")
        return web.Response(body=content, content_type="application/pdf")

    # --------------------------------------------------------------------------------------- for those who watch

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, in order."""
        return [delivery for delivery, _, _ in self.posts]

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The suite's parcel as a dossier that was filed at the portal."""
        code = f"H33.16-261123-{int(parcel.delivery[:6], 16) % 9000 + 1000}"
        return _as_dossier(parcel, code)

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel that the portal's words cannot say."""
        event = {**parcel.event, "type": "signing.requested", "dataschema": "urn:lgsp:contract:signing.requested:1.0"}
        return replace(parcel, event=event)

    def visit(self, event: Mapping[str, Any]) -> Call:
        """A sound call of the second variant that brings one dossier."""
        number = int(uuid.UUID(str(event["id"]))) % 9000 + 1000
        item = {
            "MaHoSo": f"H33.16-261123-{number}", "MaTTHC": "1.004199", "TenTTHC": "Thủ tục mẫu",
            "ChuHoSo": event["data"]["subject"], "LoaiDoiTuong": "1", "TrangThaiHoSo": "2",
            "NgayTiepNhan": "20261123083000", "HinhThuc": "0", "DonViXuLy": "Bộ phận một cửa", "KenhThucHien": "1",
        }  # fmt: skip
        return self._called([item], {HEADER.lower(): KEY})

    def rubbish_visit(self) -> Call:
        """A call that is proven and brings what is none."""
        return self._called([{"MaHoSo": ""}, 7], {HEADER.lower(): KEY})

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """The sound call by one who does not know the key."""
        return replace(self.visit(event), fields={HEADER.lower(): "another"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the software would take the reply for success."""
        try:
            said = json.loads(reply.body)
        except ValueError:
            return False
        return reply.status == 200 and isinstance(said, dict) and str(said.get("error_code")) in {"0", "00"}

    def _called(self, body: Any, fields: Mapping[str, str]) -> Call:
        query = {"MaDinhDanhDV": self.agency, "isUpdating": "False"}
        raw = json.dumps(body, ensure_ascii=False).encode()
        return Call("POST", "SynsTTHCC/DongBoHoSoMC", query, fields, InMemory(raw), "127.0.0.1")


def _wrong(item: Mapping[str, Any]) -> str | None:
    """What is not as the portal writes it."""
    for name in _NEEDED:
        if not item.get(name) and name not in LISTS:
            return name
    for name, value in item.items():
        if isinstance(value, list):
            nested = [each for entry in value for each in entry.values() if not isinstance(each, str | list)]
            if nested:
                return name
        elif not isinstance(value, str):
            return name
    wrong = [name for name in _DATES if item.get(name) and (len(item[name]) != 14 or not item[name].isdigit())]
    return wrong[0] if wrong else None


def _as_dossier(parcel: Parcel, code: str) -> Parcel:
    data = {
        "dossierCode": code, "procedure": {"code": "1.004199"}, "agency": {"code": "H33.16"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}, "abstract": parcel.event["data"]["subject"],
        "status": {"code": 1, "at": "2026-11-23T08:30:00+07:00"},
    }  # fmt: skip
    event = {
        **parcel.event, "type": "dossier.registered", "dataschema": "urn:lgsp:contract:dossier.registered:2.0",
        "subject": code, "data": data,
    }  # fmt: skip
    return replace(parcel, event=event)


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Office]:
    """An office whose settings fit the adapter beside this file; its secrets are files under ``folder``."""
    office = Office()
    await office.counter.start()
    office.base = office.counter.url
    for name, secret in (("motcua.password", PASSWORD), ("motcua.key", KEY)):
        file = folder / "keys" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{secret}\n")
    shared = {"url": office.counter.url, "timeout": 5, "file_hosts": [f"127.0.0.1:{office.counter.port}"]}
    # Who has no login is known by a key; who logs in needs none.
    office.settings = {**shared, "caller_header": HEADER, "caller_secret_file": "keys/motcua.key"}
    office.login_settings = {**shared, "username": USERNAME, "password_file": "keys/motcua.password"}
    try:
        yield office
    finally:
        await office.counter.stop()
