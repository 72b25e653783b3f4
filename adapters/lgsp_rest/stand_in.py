"""The platform in small, written from the facts page: strict about headers, dates and forms, with faults on demand.

It keeps documents and statuses for the one account it has, delivers what that account posts into ``mail``, and lets
one ask what was sent.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import BodyPartReader, web

from gateway.calls.counter import Counter, Faults
from gateway.core.documents.sample import glance, sample_letter, sample_status
from gateway.ports import Parcel

USERNAME: Final = "truc.mau"
SYSTEM_ID: Final = "H33.W00"
APPLICATION: Final = "LTVB"
#: Made up for this stand-in alone.
PASSWORD: Final = "mat-khau-mau-1"  # noqa: S105
SECRET_KEY: Final = "khoa-bi-mat-mau-2"  # noqa: S105
_LOGIN: Final = {"username", "password", "applicationCode", "otp", "twoFactorProvider", "typeObjs"}
_DAY: Final = re.compile(r"\d{4}/\d{2}/\d{2}\Z", re.ASCII)
_VIET_NAM: Final = timedelta(hours=7)
_UNAUTHORIZED: Final = {"code": 401, "message": "Unauthorized", "licenseInfo": "invalid"}
_PAGE: Final = 2
_STATES: Final = frozenset({"processing", "done", "fail"})
_BUSINESS: Final = frozenset({"03", "04", "05", "06"})


@dataclass(slots=True)
class Waiting:
    """What lies there for the account."""

    id: str
    kind: str
    raw: bytes
    sender: str
    receiver: str
    state: str = "initial"
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Mail:
    """What the account posted and the platform took."""

    id: str
    kind: str
    raw: bytes
    name: str
    at: float


@dataclass(slots=True)
class Platform:
    """The platform. ``takes_business_codes``: updateStatus takes 03 to 06, too. ``unknown``: no such receiver."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    takes_business_codes: bool = False
    unknown: frozenset[str] = frozenset({"H99.99"})
    locked: frozenset[str] = frozenset({"H98.98"})
    #: How far its clock is ahead (seconds).
    ahead: float = 0.0
    waits: list[Waiting] = field(default_factory=list)
    mail: list[Mail] = field(default_factory=list)
    logins: int = 0
    agencies: list[dict[str, Any]] = field(default_factory=list)
    _tokens: set[str] = field(default_factory=set)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post("/v1/auth/login", self._login),
            web.post("/v1/sendEdoc", self._send),
            web.get("/v1/syncReceivedEdocList", self._list),
            web.get("/v1/getSentEdocList", self._sent),
            web.get("/v1/getEdoc", self._get),
            web.post("/v1/updateStatus", self._update),
            web.get("/v1/getAgenciesList", self._agencies),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/v1/sendEdoc"}))

    # ------------------------------------------------------------------------------------- for those who watch

    def put(self, raw: bytes, kind: str = "edoc", *, receiver: str | None = None, age: float = 0.0) -> str:
        """Something for the account has come; ``age`` seconds ago. Its id."""
        seen = glance(raw)
        sender = seen.sender if seen else "H37.01"
        receiver = (seen.receivers[0] if seen else "H33.16") if receiver is None else receiver
        item = Waiting(str(uuid.uuid4()), kind, raw, sender, receiver, at=time.time() - age)
        self.waits.append(item)
        return item.id

    def expire_tokens(self) -> None:
        """Every token is worth nothing from now on."""
        self._tokens.clear()

    def state(self, id: str) -> str:
        """The transport state of an item."""
        return next(item.state for item in self.waits if item.id == id)

    def posted(self) -> list[bytes]:
        """Every file that was taken, in order."""
        return [one.raw for one in self.mail]

    def unsettled(self) -> list[str]:
        """Ids of what is not settled."""
        return [item.id for item in self.waits if item.state not in {"done", "fail"}]

    async def arrivals(self) -> list[str]:
        """Delivery ids of the documents and statuses that were taken: the names of their files."""
        return [one.name.removesuffix(".edxml") for one in self.mail]

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel for an agency that is not known here."""
        data = {**parcel.event["data"], "recipients": ["H99.99"]}
        return replace(parcel, event={**parcel.event, "to": "H99.99", "data": data}, carried=("H99.99",))

    async def drop(self, event: Mapping[str, Any]) -> None:
        """A letter for an agency of the bus has come that says what ``event`` says."""
        self.put(sample_letter("12", receivers=[event["to"]], subject=event["data"]["subject"]))

    async def drop_rubbish(self) -> None:
        """Something has come that is no edXML."""
        self.put(b"rubbish")

    async def drop_status(self, document_id: str, code: str, symbol: str = "") -> None:
        """A report on a document that was sent from the bus has come."""
        self.put(sample_status(document_id, code, symbol=symbol, receiver=document_id.partition(",")[0]), "status")

    async def waiting(self) -> list[str]:
        """Ids of what is not settled."""
        return self.unsettled()

    async def refusals(self) -> list[str]:
        """The words of the statuses 02 that came from the bus."""
        seen = [glance(one.raw) for one in self.mail if one.kind == "status"]
        return [each.description for each in seen if each is not None and each.status == "02"]

    # ------------------------------------------------------------------------------------------------ the doors

    async def _login(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        if request.query.get("allow_anonymous") != "true" or set(asked) != _LOGIN:
            return web.json_response({"code": 400, "message": "Bad Request"}, status=400)
        if (asked["username"], asked["password"], asked["applicationCode"]) != (USERNAME, PASSWORD, APPLICATION):
            return web.json_response(_UNAUTHORIZED, status=401)
        self.logins += 1
        token = uuid.uuid4().hex * 4
        self._tokens.add(token)
        return web.json_response({"code": 200, "message": "Success", "data": {"token": token, "username": USERNAME}})

    def _stranger(self, request: web.Request) -> web.Response | None:
        """The answer to a caller whose three headers are not right."""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.faults.strikes("unauthorized") or bearer not in self._tokens:
            return web.json_response(_UNAUTHORIZED, status=401)
        if (request.headers.get("X-SystemId"), request.headers.get("X-SecretKey")) != (SYSTEM_ID, SECRET_KEY):
            return _failed("15", "SystemId, SecretKey")
        return None

    async def _send(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        if request.content_type != "multipart/form-data":
            return web.json_response({"code": 500, "errorDetail": [{"exception": "no multipart"}]})
        parts = [part async for part in _parts(request)]
        form = {part[0]: part for part in parts}
        if len(parts) != 2 or set(form) != {"edocFile", "messageType"}:
            return web.json_response({"code": 500, "errorDetail": [{"exception": "bad form"}]})
        (_, raw, media, name), kind = form["edocFile"], form["messageType"][1].decode()
        if media != "application/xml" or not name or kind not in {"edoc", "status"}:
            return _failed("10", "edocFile")
        if self.faults.refusal:
            return _failed(self.faults.refusal.pop(0), "…")
        seen = glance(raw)
        if seen is None or bool(seen.status) != (kind == "status"):
            return _failed("22", "edXML")
        for code, names in (("18", self.unknown), ("23", self.locked)):
            if names & set(seen.receivers):
                return _failed(code, f"{seen.subject} {seen.receivers}")
        one = Mail(str(uuid.uuid4()), kind, raw, name, time.time() + self.ahead)
        self.mail.append(one)
        if self.faults.strikes("missing"):
            return web.json_response({"code": 200, "message": "Success"})
        data = {"status": "OK", "docId": one.id, "errorCode": None, "errorDesc": None, "filePath": "/app/…"}
        return web.json_response({"code": 200, "message": "Success", "data": data})

    def _window(self, request: web.Request) -> tuple[str, str, str] | None:
        """Kind, first and last day asked for; None where the question is not as the guide says."""
        raw = request.rel_url.raw_query_string
        kind, *days = (request.query.get(name, "") for name in ("messageType", "fromDate", "toDate"))
        if kind not in {"edoc", "status"} or "/" in raw or not all(_DAY.match(day) for day in days):
            return None
        return kind, days[0], days[1]

    async def _list(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        asked = self._window(request)
        if asked is None:
            return web.json_response({"success": False, "message": "fromDate, toDate: yyyy/MM/dd"})
        if self.faults.strikes("missing"):
            return web.json_response({"success": True, "message": "OK", "count": len(self.waits)})
        kind, first, last = asked
        found = [item for item in self.waits if item.kind == kind and first <= _day(item.at) <= last]
        rows = [
            {
                "docId": item.id, "from": item.sender, "to": item.receiver, "status": item.state, "statusDesc": "",
                "serviceType": "eDoc", "messageType": kind, "createdTime": _moment(item.at),
                "updatedTime": _moment(item.at),
            }
            for item in found
        ]  # fmt: skip
        rows *= 2 if self.faults.twice else 1
        return web.json_response({"success": True, "message": "OK", "count": len(rows), "data": rows})

    async def _sent(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        asked = self._window(request)
        if asked is None:
            return web.json_response({"success": False, "message": "fromDate, toDate: yyyy/MM/dd"})
        kind, first, last = asked
        rows = []
        for one in self.mail:
            seen = glance(one.raw)
            if seen is None or one.kind != kind or not first <= _day(one.at) <= last:
                continue
            rows += [
                {
                    "serviceType": "eDoc", "messageType": kind, "senderDocId": one.id,
                    "receiverDocId": f"{one.id}-{to}",
                    "fromCode": seen.sender, "toCode": to, "title": seen.subject, "notation": seen.code,
                    "sentTime": _moment(one.at), "receivedTime": None, "sendStatus": "done",
                }
                for to in seen.receivers
            ]  # fmt: skip
        return web.json_response({"success": True, "message": "OK", "count": len(rows), "data": rows})

    async def _get(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        item = next((each for each in self.waits if each.id == request.query.get("docId")), None)
        if item is None or self.faults.strikes("missing"):
            return web.json_response({"success": False, "message": "Not found"})
        seen = glance(item.raw)
        data = {
            "docId": item.id, "from": item.sender, "fromName": "Cơ quan mẫu", "edocCode": seen.code if seen else "",
            "edocAbstract": seen.subject if seen else "", "edxml": item.raw.decode("utf-8", "replace"),
            "attachments": [{"fileName": "a.pdf", "fileContent": "JVBERi0xLjQ="}],
        }  # fmt: skip
        if item.id in self.faults.spoiled:
            del data["edxml"]
        return web.json_response({"success": True, "message": "OK", "data": data})

    async def _update(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        asked = json.loads(await request.read())
        states = _STATES | _BUSINESS if self.takes_business_codes else _STATES
        item = next((each for each in self.waits if each.id == asked.get("docId")), None)
        if set(asked) != {"docId", "status"} or asked["status"] not in states or item is None:
            return web.json_response({"success": False, "message": "?", "data": {"errorCode": "22"}})
        item.state = asked["status"]
        return web.json_response({"success": True, "message": "OK"})

    async def _agencies(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        page = int(request.query.get("currentPage", "1"))
        total = -(-len(self.agencies) // _PAGE)
        content = self.agencies[(page - 1) * _PAGE : page * _PAGE]
        data = {
            "currentPage": page, "totalPages": total, "pageSize": _PAGE, "numberOfRecords": len(content),
            "totalRecords": len(self.agencies), "content": content,
        }  # fmt: skip
        return web.json_response({"code": 200, "message": "Success", "data": data})


async def _parts(request: web.Request) -> AsyncIterator[tuple[str, bytes, str, str]]:
    """The parts of a form: name, content, media type, the file's name."""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader):
            media = part.headers.get("Content-Type", "")
            yield part.name or "", bytes(await part.read()), media, part.filename or ""


def _failed(code: str, words: str) -> web.Response:
    data = {"status": "FAIL", "docId": None, "errorCode": code, "errorDesc": words}
    return web.json_response({"code": 200, "message": words, "data": data})


def _moment(at: float) -> str:
    return (datetime.fromtimestamp(at, UTC) + _VIET_NAM).strftime("%Y/%m/%d %H:%M:%S")


def _day(at: float) -> str:
    return _moment(at)[:10]


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Platform]:
    """A platform whose settings fit the adapter beside this file; its secrets are files under ``folder``."""
    platform = Platform()
    await platform.counter.start()
    for name, secret in (("password", PASSWORD), ("secret-key", SECRET_KEY)):
        file = folder / "keys" / f"lgsp.{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{secret}\n")
    platform.settings = {
        "url": platform.counter.url, "username": USERNAME, "application_code": APPLICATION, "system_id": SYSTEM_ID,
        "password_file": "keys/lgsp.password", "secret_key_file": "keys/lgsp.secret-key", "confidentiality": "none",
        "poll_seconds": 0, "sent_list": "/v1/getSentEdocList", "timeout": 5, "file_timeout": 5,
    }  # fmt: skip
    try:
        yield platform
    finally:
        await platform.counter.stop()
