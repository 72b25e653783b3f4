"""A bank's gateway in small, written from the facts page: takes INIT and GET_BILL, calls back when money moved.

Its way to compute checksums is its own choice, as every gateway's is. Faults besides the counter's: ``twice_back``
(each notice is sent twice), ``bad_checksum`` (notices whose checksum is wrong), ``as_form`` (notices as forms).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: Made up for this stand-in alone.
SECRET: Final = "khoa-chung-mau-21"  # noqa: S105
CODE: Final = "000.00.00.H33-261123-0001"
PARTNER: Final = "H33"
RECEIPT: Final = b"%PDF-1.7 a receipt"
_SEALED: Final = ("MaThongBaoThue", "MaHoSo", "MaThamChieu", "SoTien", "ThoiGianThanhToan", "TrangThaiThanhToan")
_ASKED: Final = ("LoaiBanTin", "MaDoiTac", "MaThamChieu", "SoTien")


@dataclass(slots=True)
class Started:
    """A payment that was started, and under which delivery id it came first."""

    body: dict[str, Any]
    delivery: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Said:
    """A notice and what it was answered."""

    notice: dict[str, Any]
    status: int
    answer: dict[str, Any]


@dataclass(slots=True)
class Bank:
    """The gateway. ``door``: where it calls."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    door: str = ""
    twice_back: bool = False
    bad_checksum: int = 0
    as_form: bool = False
    has_receipt: bool = True
    started: dict[str, Started] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    #: By dossier: the id of its last notice of payment.
    paid: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [web.post("/pay", self._pay), web.post("/refund", self._refund)]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/pay", "/refund"}))

    # ------------------------------------------------------------------------------------- for those who watch

    async def pay(self, code: str, amount: int | None = None, *, status: str = "0", notice: str = "") -> list[int]:
        """Somebody paid for a dossier: what was asked for, unless ``amount`` (VND) says otherwise. What it was told."""
        asked = next((each.body for each in self.started.values() if each.body["MaThamChieu"].startswith(code)), None)
        told = notice or f"TB-{next(self._numbers)}"
        self.paid[code] = told
        value = str(amount) if amount is not None else asked["SoTien"] if asked is not None else "0"
        reference = asked["MaThamChieu"] if asked is not None else f"{code}20261124083000"
        return await self._tell({**_notice(told, code, reference, value, status), "ThoiGianThanhToan": _now()})

    async def refund(self, code: str, amount: int, *, reason: str = "") -> list[int]:
        """Money was given back. What it was told."""
        made = _notice(f"HT-{next(self._numbers)}", code, f"{code}20261124083000", str(amount), "9")
        made |= {"MaGoc": self.paid.get(code, ""), "LyDoHoan": reason, "ThoiGianThanhToan": _now()}
        return await self._tell(made)

    async def arrivals(self) -> list[str]:
        """Delivery ids of the payments, each under the id by which it was started first."""
        return [each.delivery for each in self.started.values()]

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as charges for what the parcel's document is about, of a dossier of its own."""
        code = f"000.00.00.H33-261123-{int(parcel.delivery[:8], 16) % 1_000_000:06d}"
        at = "2026-11-24T08:30:00+07:00"
        fee = {"name": str(parcel.event["data"].get("subject", "")) or "Lệ phí", "amount": 15_000}
        data = {"dossierCode": code, "at": at, "status": {"code": 6, "at": at}, "charges": {"fees": [fee]}}
        kind = {"type": "dossier.progressed", "dataschema": "urn:lgsp:contract:dossier.progressed:1.0"}
        return replace(parcel, event={**parcel.event, **kind, "subject": code, "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A message that is about no money."""
        return replace(parcel, event={**parcel.event, "type": "document.issued"})

    def visit(self, event: Mapping[str, Any]) -> Call:
        """A notice that says what the event is about."""
        made = _notice(event["id"], CODE, f"{CODE}20261124083000", "15000", "0")
        return _visit({**_sealed(made), "NoiDung": event["data"].get("subject", "")})

    def rubbish_visit(self) -> Call:
        """A notice that is nothing."""
        return replace(_visit({}), body=InMemory(b"rubbish"))

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """A notice by somebody who does not know the secret."""
        return _visit(_notice(event["id"], CODE, f"{CODE}20261124083000", "15000", "0") | {"MaXacThuc": "0" * 64})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the gateway takes the answer for a yes: it looks at nothing but the code."""
        return bool(json.loads(reply.body).get("ERROR_CODE") == "1")

    # ------------------------------------------------------------------------------------------------ the doors

    async def _pay(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if self.faults.strikes("unauthorized"):
            return web.json_response({"code": "401"}, status=401)
        right = hmac.digest(SECRET.encode(), "|".join(str(body.get(n, "")) for n in _ASKED).encode(), "sha256").hex()
        if body.get("MaXacThuc") != right or body.get("MaDoiTac") != PARTNER:
            return web.json_response({"code": "97"})
        if self.faults.refusal:
            return web.json_response({"code": self.faults.refusal.pop(0)})
        if body["LoaiBanTin"] == "GET_BILL":
            held = self.has_receipt and not self.faults.strikes("missing")
            return web.json_response(
                {"code": "00", "bill": {"file": base64.b64encode(RECEIPT).decode()} if held else {}}
            )
        known = self.started.get(body["MaThamChieu"])
        if known is None:
            self.started[body["MaThamChieu"]] = Started(body, request.headers.get("lgsp-delivery", ""))
        else:
            known.times += 1
        return web.json_response({"code": "00"})

    async def _refund(self, request: web.Request) -> web.Response:
        self.refunds.append(json.loads(await request.read()))
        return web.json_response({"code": "00"})

    async def _tell(self, notice: dict[str, Any]) -> list[int]:
        made = _sealed(notice)
        if self.bad_checksum > 0:
            self.bad_checksum -= 1
            made["MaXacThuc"] = made["MaXacThuc"][::-1]
        found = []
        for _ in range(2 if self.twice_back else 1):
            body = urlencode(made) if self.as_form else json.dumps(made)
            media = "application/x-www-form-urlencoded" if self.as_form else "application/json"
            async with (
                aiohttp.ClientSession() as session,
                session.post(self.door, data=body.encode(), headers={"Content-Type": media}) as answer,
            ):
                self.said.append(Said(made, answer.status, json.loads(await answer.read())))
                found.append(answer.status)
        return found


def _notice(its_id: str, code: str, reference: str, amount: str, status: str) -> dict[str, Any]:
    return {
        "MaThongBaoThue": its_id, "MaHoSo": code, "MaThamChieu": reference, "SoTien": amount,
        "ThoiGianThanhToan": "20261124103000", "TrangThaiThanhToan": status,
    }  # fmt: skip


def _now() -> str:
    return (datetime.now(UTC) + timedelta(hours=7)).strftime("%Y%m%d%H%M%S")


def _sealed(notice: Mapping[str, Any]) -> dict[str, Any]:
    text = "|".join(str(notice.get(name, "")) for name in _SEALED)
    return {**notice, "MaXacThuc": hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest().upper()}


def _visit(notice: Mapping[str, Any]) -> Call:
    fields = {"content-type": "application/json"}
    return Call("POST", "", {}, fields, InMemory(json.dumps(notice).encode()), "127.0.0.1")


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Bank]:
    """A gateway whose settings fit the adapter beside this file; its secret is a file under ``folder``."""
    bank = Bank()
    await bank.counter.start()
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys" / "bank.secret").write_text(f"{SECRET}\n")
    bank.settings = {
        "url": bank.counter.url, "path": "/pay", "start": True, "partner": PARTNER, "refund_path": "/refund",
        "checksum": {
            "algorithm": "hmac-sha256", "fields": list(_SEALED), "request_fields": list(_ASKED),
            "secret_file": "keys/bank.secret",
        },
        "members": {"refund_of": "MaGoc", "reason": "LyDoHoan"}, "refund_statuses": ["9"], "reply_member": "code",
        "get_bill": True, "receipt_member": "bill/file", "receipt_seconds": 1, "to": ["H33.16"], "timeout": 5,
        "message_member": "message",
    }  # fmt: skip
    try:
        yield bank
    finally:
        await bank.counter.stop()
