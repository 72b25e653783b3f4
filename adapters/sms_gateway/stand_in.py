"""An SMS provider in small, of two kinds that are met (JSON and form), and the phones that write to it.

Every part of its interface is made up: no provider's is public, so the adapter's settings say each of them. It answers
errors with status 200, its codes now as numbers and now as text, and knows a message by its id.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: What phones ask is answered and brings the bus nothing to take: the suite looks for nothing.
BRINGS: Final = False
#: Made up for this stand-in alone.
KEY: Final = "khoa-cua-tong-dai-5"
PASSWORD: Final = "mat-khau-tong-dai-6"  # noqa: S105
INBOUND: Final = "khoa-goi-ve-truc-7"
PHONE: Final = "0912 345 678"
_TAKEN: Final = 0
_NO_MONEY: Final = 103
_BAD_NUMBER: Final = 104


@dataclass(frozen=True, slots=True)
class Sms:
    """A message that a phone got."""

    phone: str
    text: str
    id: str


@dataclass(slots=True)
class Provider:
    """The provider. ``form``: it reads a form instead of JSON. ``barred``: numbers that it never writes to."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    form: bool = False
    barred: frozenset[str] = frozenset()
    has_money: bool = True
    numbers_as_text: bool = False
    sent: dict[str, Sms] = field(default_factory=dict)
    #: Ids of every request that was answered with success, repeats among them.
    taken: list[str] = field(default_factory=list)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        self.counter = Counter([web.post("/sms/send", self._send)], self.faults, posts=frozenset({"/sms/send"}))

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, in order."""
        return list(dict.fromkeys(self.taken))

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The suite's document as a dossier that was registered: its content is what nobody but the office may know."""
        return replace(parcel, event=a_registration(dict(parcel.event)))

    def hopeless(self, parcel: Parcel) -> Parcel:
        """What there are no words for."""
        return replace(parcel, event={**parcel.event, "type": "sensor.reading"})

    def visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody asks by SMS how a dossier stands."""
        return asked(f"TC {event.get('subject', 'H33.05-261120-0012')}")

    def rubbish_visit(self) -> Call:
        """Something comes that is no question."""
        return replace(asked("x"), body=InMemory(b"\xff{"))

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody else plays the provider."""
        call = self.visit(event)
        return replace(call, fields={**call.fields, "authorization": "Bearer wrong"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the phone is told how a dossier stands."""
        told = json.loads(reply.body).get("reply", "") if reply.status == 200 else ""
        return str(told).startswith("Ho so")

    async def _send(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Api-Key") != KEY or self.faults.strikes("unauthorized"):
            return web.json_response({"code": 401}, status=401)
        raw = await request.read()
        body = dict(parse_qsl(raw.decode())) if self.form else json.loads(raw)
        if body.get("password") != PASSWORD or body.get("user") != "lienthong":
            return web.json_response({"code": 101, "message": "wrong account"}, status=200)
        phone, text, name = str(body["to"]), str(body["content"]), str(body["requestId"])
        if self.faults.refusal:
            return self._said(self.faults.refusal.pop(0))
        if phone in self.barred:
            return self._said(_BAD_NUMBER)
        if not self.has_money:
            return self._said(_NO_MONEY)
        # The same id is the same message: nobody gets it twice.
        self.sent.setdefault(name, Sms(phone, text, name))
        self.taken.append(request.headers.get("lgsp-delivery", name))
        return self._said(_TAKEN, id=f"sms-{len(self.sent)}")

    def _said(self, code: int | str, **more: Any) -> web.Response:
        told = str(code) if self.numbers_as_text else code
        return web.json_response({"result": {"code": told, **more}, "message": "xem mã"})


def asked(words: str, phone: str = "84912345678") -> Call:
    """The call by which the provider brings an SMS that a phone sent."""
    body = urlencode({"msisdn": phone, "message": words}).encode()
    fields = {"authorization": f"Bearer {INBOUND}", "content-type": "application/x-www-form-urlencoded"}
    return Call("POST", "mo", {}, fields, InMemory(body), "127.0.0.1")


def a_registration(event: dict[str, Any], **override: Any) -> dict[str, Any]:
    """A document of the suite as dossier.registered 2.0: what a person may not read stands in name and abstract."""
    secret = str(event.get("data", {}).get("subject", ""))
    data: dict[str, Any] = {
        "dossierCode": "H33.05-261120-0012",
        "procedure": {"code": "2.002492", "name": "Đăng ký thành lập hộ kinh doanh"},
        "agency": {"code": "H33.05", "name": "Sở Tài chính"},
        "applicant": {"name": secret or "Nguyễn Văn Mẫu", "kind": "citizen", "phone": PHONE},
        "abstract": secret,
        "receivedAt": "2026-11-20T08:30:00+07:00",
        "dueAt": "2026-11-27T17:00:00+07:00",
        "status": {"code": 2, "at": "2026-11-20T08:30:00+07:00"},
        **override,
    }
    made = {**event, "type": "dossier.registered", "subject": data["dossierCode"], "purpose": "giai-quyet-tthc"}
    return {**made, "dataschema": "urn:lgsp:contract:dossier.registered:2.0", "data": data}


@contextlib.asynccontextmanager
async def agency(folder: Path, *, form: bool = False) -> AsyncIterator[Provider]:
    """A listening provider whose settings fit the adapter beside this file."""
    home = folder / "sms"
    home.mkdir(parents=True, exist_ok=True)
    for name, secret in {"key": KEY, "password": PASSWORD, "inbound": INBOUND}.items():
        (home / f"{name}.secret").write_text(f"{secret}\n", "utf-8")
    provider = Provider(form=form)
    await provider.counter.start()
    provider.settings = {
        "url": f"{provider.counter.url}/sms/send",
        "timeout": 2,
        "body": {
            "form": "form" if form else "json",
            "members": {
                "user": "lienthong", "password": "{password}", "to": "{phone}", "content": "{text}",
                "requestId": "{id}", **({} if form else {"options": {"unicode": False, "brand": ["KIENGIANG"]}}),
            },
        },
        "fields": {"X-Api-Key": "{key}"},
        "secrets": {"key": "sms/key.secret", "password": "sms/password.secret"},
        "answer": {"member": "/result/code", "taken": ["0"], "refused": ["104"], "reference": "/result/id"},
        "inbound": {"phone": "/msisdn", "text": "/message", "reply": {"reply": "{text}"}},
        "caller_secret_file": "sms/inbound.secret",
    }  # fmt: skip
    try:
        yield provider
    finally:
        await provider.counter.stop()
