"""The interface in small, written from the facts page: a token door and the documents below /truclienthong/v1.0.0.

Strict about parameters, the unit's secret and base64; with faults on demand. ``lists_sent``: GET /vanbans takes
``chieu=di`` and lists what was posted, which some of these interfaces do.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.documents.sample import glance, sample_letter, sample_status
from gateway.ports import Parcel

BASE: Final = "/truclienthong/v1.0.0"
KEY: Final = "khoa-ung-dung-mau"
#: Made up for this stand-in alone.
SECRET: Final = "bi-mat-ung-dung-mau"  # noqa: S105
UNIT_SECRET: Final = "bi-mat-don-vi-mau-0123456789abcdef"  # noqa: S105
_STATES: Final = frozenset({"INITIAL", "PROCESSING", "DONE", "FAIL"})
_KINDS: Final = frozenset({"edoc", "status"})
_OVER: Final = frozenset({"DONE", "FAIL"})


@dataclass(slots=True)
class Item:
    """A document or status that lies there: for the unit, or posted by it (``name`` is then its delivery)."""

    id: str
    kind: str
    raw: bytes
    sender: str
    receiver: str
    state: str = "INITIAL"
    at: float = field(default_factory=time.time)
    name: str = ""


@dataclass(slots=True)
class Interface:
    """The interface, for the one unit it knows."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    lists_sent: bool = True
    token_seconds: int = 3600
    unknown: frozenset[str] = frozenset({"H99.99"})
    waits: list[Item] = field(default_factory=list)
    mail: list[Item] = field(default_factory=list)
    agencies: list[dict[str, Any]] = field(default_factory=list)
    grants: int = 0
    _tokens: set[str] = field(default_factory=set)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post("/token", self._token),
            web.get(f"{BASE}/vanbans", self._list),
            web.post(f"{BASE}/vanbans", self._post),
            web.get(BASE + "/vanbans/{id}", self._get),
            web.put(BASE + "/vanbans/{id}", self._put),
            web.get(f"{BASE}/donvilienthongs", self._units),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({f"{BASE}/vanbans"}))

    # ------------------------------------------------------------------------------------- for those who watch

    def put(self, raw: bytes, kind: str = "edoc", *, receiver: str | None = None) -> str:
        """Something for the unit has come. Its id."""
        seen = glance(raw)
        receiver = (seen.receivers[0] if seen else "H33.16") if receiver is None else receiver
        item = Item(str(uuid.uuid4()), kind, raw, seen.sender if seen else "H37.01", receiver)
        self.waits.append(item)
        return item.id

    def expire_tokens(self) -> None:
        """Every token is worth nothing from now on."""
        self._tokens.clear()

    def state(self, item_id: str) -> str:
        """The transport state of an item."""
        return next(item.state for item in self.waits if item.id == item_id)

    def posted(self) -> list[bytes]:
        """Every file that was taken, in order."""
        return [one.raw for one in self.mail]

    def unsettled(self) -> list[str]:
        """Ids of what is not settled."""
        return [item.id for item in self.waits if item.state not in _OVER]

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, as the requests named them."""
        return [one.name for one in self.mail]

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

    async def _token(self, request: web.Request) -> web.Response:
        """RFC 6749, section 4.4: the client's name and secret as Basic, the grant type in a form."""
        expected = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return web.json_response({"error": "invalid_client"}, status=401)
        if dict(await request.post()) != {"grant_type": "client_credentials"}:
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        self.grants += 1
        token = uuid.uuid4().hex
        self._tokens.add(token)
        said = {"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds, "scope": "default"}
        return web.json_response(said)

    def _stranger(self, request: web.Request) -> web.Response | None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.faults.strikes("unauthorized") or bearer not in self._tokens:
            fault = {"code": 900901, "message": "Invalid Credentials", "description": "Access failure for API"}
            return web.json_response({"fault": fault}, status=401)
        return None if request.query.get("secret") == UNIT_SECRET else _no("15", "secret")

    async def _list(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        if set(request.query) - {"secret", "chieu"} or (request.query.get("chieu") == "di") > self.lists_sent:
            return _no("10", "?")
        if self.faults.strikes("missing"):
            return web.json_response({"status": "OK", "errorCode": "0", "errorDesc": ""})
        items = self.mail if request.query.get("chieu") == "di" else [i for i in self.waits if i.state not in _OVER]
        rows = [
            {
                "serviceType": "eDoc", "messageType": item.kind, "docId": item.id, "from": item.sender,
                "to": item.receiver, "status": item.state, "statusDesc": "", "createdTime": _moment(item.at),
                "updatedTime": _moment(item.at),
            }
            for item in items
        ]  # fmt: skip
        return _yes(rows * (2 if self.faults.twice else 1))

    async def _post(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        kind = request.query.get("loaiVanBan")
        if set(request.query) != {"secret", "loaiVanBan"} or kind not in _KINDS or request.content_type != "text/plain":
            return _no("10", "loaiVanBan")
        if self.faults.refusal:
            return _no(self.faults.refusal.pop(0), "…")
        try:
            raw = base64.b64decode(await request.read(), validate=True)
        except binascii.Error:
            return _no("10", "base64")
        seen = glance(raw)
        if seen is None or bool(seen.status) != (kind == "status"):
            return _no("22", "edXML")
        if self.unknown & set(seen.receivers):
            return _no("18", f"{seen.subject}")
        name = request.headers.get("X-Delivery-Id", "")
        one = Item(str(uuid.uuid4()), str(kind), raw, seen.sender, seen.receivers[0], "DONE", name=name)
        self.mail.append(one)
        if self.faults.strikes("missing"):
            return web.json_response({})
        return web.json_response({"status": "OK", "errorCode": "0", "errorDesc": "", "docId": one.id})

    def _item(self, request: web.Request, *, sent: bool) -> Item | None:
        items = [*self.waits, *self.mail] if sent else self.waits
        return next((item for item in items if item.id == request.match_info["id"]), None)

    async def _get(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        item = self._item(request, sent=self.lists_sent)
        if item is None:
            return _no("21", "docId")
        text = base64.b64encode(item.raw).decode()
        return _yes(f"{text[:10]}*{text[11:]}" if item.id in self.faults.spoiled else text)

    async def _put(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        item, state = self._item(request, sent=False), request.query.get("status")
        if item is None or state not in _STATES or set(request.query) != {"secret", "status"}:
            return _no("10", "status")
        item.state = str(state)
        return _yes(None)

    async def _units(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        return _yes(self.agencies)


def _yes(data: Any) -> web.Response:
    return web.json_response({"status": "OK", "errorCode": "0", "errorDesc": "", "data": data})


def _no(code: str, words: str) -> web.Response:
    return web.json_response({"status": "FAIL", "errorCode": code, "errorDesc": words})


def _moment(at: float) -> str:
    return (datetime.fromtimestamp(at, UTC) + timedelta(hours=7)).strftime("%Y/%m/%d %H:%M:%S")


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Interface]:
    """An interface whose settings fit the adapter beside this file; its secrets are files under ``folder``."""
    interface = Interface()
    await interface.counter.start()
    for name, secret in (("consumer", SECRET), ("unit", UNIT_SECRET)):
        file = folder / "keys" / f"wso2.{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{secret}\n")
    interface.settings = {
        "url": interface.counter.url, "consumer_key": KEY, "consumer_secret_file": "keys/wso2.consumer",
        "unit_secret_file": "keys/wso2.unit", "confidentiality": "none", "poll_seconds": 0, "timeout": 5,
        "file_timeout": 5, "sent_parameter": "chieu", "sent_value": "di",
    }  # fmt: skip
    try:
        yield interface
    finally:
        await interface.counter.stop()
