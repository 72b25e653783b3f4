"""An old SOAP service of a district, in small: it speaks as ``example/dat-dai.wsdl`` says, strictly in its order.

Faults besides the counter's: ``twice``, ``refusal`` (codes for the next updates), ``soap_faults`` (fault codes for the
next requests), ``wants_token`` (a UsernameToken by digest, or a fault), ``spoilt`` (answers that break the XSD).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: Made up for this stand-in alone.
_PASSWORD: Final = "mat-khau-mau-huyen-5"  # noqa: S105
_CALLER: Final = "khoa-goi-vao-mau-6"
_USER: Final = "lgsp"
_DESCRIPTION: Final = "far/dat-dai.toml"
_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?><e:Envelope xmlns:e="{}"><e:Body>'
_TAIL: Final = "</e:Body></e:Envelope>"
_SPACE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_ORDER: Final = re.compile(
    rb"<(?:\w+:)?CapNhatThuTuc[ >].*MaLienThong>(.*?)</.*Ma>(.*?)</.*HieuLuc>(true|false)</.*Ten>(.*?)</", re.DOTALL
)


@dataclass(slots=True)
class County:
    """The service. ``records``: what was put there; ``changes``: what it lists, with the moment of each change."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    refusal: list[int] = field(default_factory=list)
    soap_faults: list[str] = field(default_factory=list)
    wants_token: bool = True
    spoilt: int = 0
    records: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    parcels: dict[tuple[str, str], list[tuple[str, str, int]]] = field(default_factory=dict)
    deliveries: list[str] = field(default_factory=list)
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        self.counter = Counter(
            [web.post("/dat-dai.asmx", self._serve)], self.faults, posts=frozenset({"/dat-dai.asmx"})
        )

    # ------------------------------------------------------------------------------------- for those who watch

    async def arrivals(self) -> list[str]:
        """Delivery ids, each once."""
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
        """A procedure whose code is longer than the schema lets it be."""
        parcel = self.fits(parcel)
        return replace(parcel, event={**parcel.event, "data": {**parcel.event["data"], "code": "x" * 90}})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """A procedure has changed that is named as ``event`` is about."""
        self._change({"Ma": str(event["id"]), "Lan": "1", "HieuLuc": "true", "Ten": str(event["data"]["subject"])})

    async def drop_rubbish(self) -> None:
        """A change without a name, in force perhaps."""
        self._change({"Ma": f"hong-{len(self.changes)}", "Lan": "1", "HieuLuc": "có lẽ"})

    async def waiting(self) -> list[str]:
        """Codes of what is neither noted by the bus nor refused."""
        noted = self._noted()
        return [
            each["Ma"] for _, each in self.changes if each["Ma"] not in self.refused and _note_of(each) not in noted
        ]

    async def refusals(self) -> list[str]:
        """What was refused, in words."""
        return list(self.refused.values())

    def visit(self, event: Mapping[str, Any]) -> Call:
        """The software tells of a procedure by itself."""
        told = (
            f'<BaoThuTuc xmlns="urn:mau:dat-dai"><ThuTuc><Ma>{escape(str(event["id"]))}</Ma><Lan>1</Lan>'
            f"<HieuLuc>true</HieuLuc><Ten>{escape(str(event['data']['subject']))}</Ten></ThuTuc></BaoThuTuc>"
        )
        return self._call(f"{_HEAD.format(_SPACE)}{told}{_TAIL}".encode())

    def rubbish_visit(self) -> Call:
        """It tells of nothing."""
        return self._call(f'{_HEAD.format(_SPACE)}<BaoThuTuc xmlns="urn:mau:dat-dai"/>{_TAIL}'.encode())

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody who does not know the key."""
        return replace(self.visit(event), fields={"authorization": "Bearer doan-mo"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the software goes on to the next."""
        return reply.status == 200 and re.search(rb"MaLoi>0</", reply.body) is not None

    def _call(self, body: bytes) -> Call:
        fields = {"authorization": f"Bearer {_CALLER}", "content-type": "text/xml"}
        return Call("POST", "", {}, fields, InMemory(body), "127.0.0.1")

    def _change(self, change: dict[str, str]) -> None:
        self.changes.append((datetime.now(UTC).timestamp(), change))

    def _noted(self) -> str:
        return "".join(path.read_text("utf-8") for path in (self.folder / "var/soap").glob("*.jsonl"))

    # ----------------------------------------------------------------------------------------------- its desk

    async def _serve(self, request: web.Request) -> web.Response:
        raw = await request.read()
        action = request.headers.get("SOAPAction", "").strip('"').rpartition("/")[2]
        if self.wants_token and not _is_proven(raw):
            return _fault("FailedAuthentication")
        if self.soap_faults:
            return _fault(self.soap_faults.pop(0))
        if self.faults.strikes("missing") or self.spoilt > 0:
            self.spoilt -= 1
            return _answer(f'<{action}TraLoi xmlns="urn:mau:dat-dai"><La>1</La></{action}TraLoi>')
        desk = {"CapNhatThuTuc": self._update, "HoiThuTuc": self._known, "LayThayDoi": self._listed,
                "XacNhan": self._confirmed, "TraCuuThua": self._land}.get(action)  # fmt: skip
        if desk is None:
            return _fault("Client")
        told = f'<{action}TraLoi xmlns="urn:mau:dat-dai">{desk(raw)}</{action}TraLoi>'
        if action == "CapNhatThuTuc" and self.faults.strikes("lost") and request.transport is not None:
            request.transport.abort()
        return _answer(told)

    def _update(self, raw: bytes) -> str:
        found = _ORDER.search(raw)
        if found is None:
            return "<MaLoi>-1</MaLoi>"
        if self.refusal:
            return f"<MaLoi>{self.refusal.pop(0)}</MaLoi>"
        delivery, code, _, name = (part.decode() for part in found.groups())
        self.records[code] = name
        self.deliveries.append(delivery)
        return f"<MaLoi>0</MaLoi><SoPhieu>PH-{len(self.records)}</SoPhieu>"

    def _known(self, raw: bytes) -> str:
        return f"<MaLoi>{0 if _text(raw, 'Ma') in self.records else 4}</MaLoi>"

    def _listed(self, raw: bytes) -> str:
        since, until = (datetime.fromisoformat(_text(raw, name)).timestamp() for name in ("TuLuc", "DenLuc"))
        found = [each for at, each in self.changes if since <= at < until + 1 and each["Ma"] not in self.refused]
        rows = "".join(
            "<ThuTuc>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in each.items()) + "</ThuTuc>"
            for each in (found * 2 if self.faults.twice else found)
        )
        return f"<MaLoi>0</MaLoi>{rows}"

    def _confirmed(self, raw: bytes) -> str:
        code = _text(raw, "Ma")
        if any(each["Ma"] == code for _, each in self.changes):
            self.refused[code] = _text(raw, "LyDo")
        return "<MaLoi>0</MaLoi>"

    def _land(self, raw: bytes) -> str:
        found = self.parcels.get((_text(raw, "To"), _text(raw, "So")))
        if found is None:
            return "<MaLoi>4</MaLoi>"
        rows = (f"<Thua><To>{a}</To><So>{b}</So><DienTich>{size}</DienTich></Thua>" for a, b, size in found)
        return "<MaLoi>0</MaLoi>" + "".join(rows)


def _note_of(change: Mapping[str, str]) -> str:
    """How the bus notes a change: by the SHA-256 of its token, which is the identity in base64."""
    identity = f'{{"lan":"{change["Lan"]}","ma":"{change["Ma"]}"}}'
    token = "thay-doi:" + base64.urlsafe_b64encode(identity.encode()).decode()
    return hashlib.sha256(token.encode()).hexdigest()


def _text(raw: bytes, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)</".encode(), raw)
    return "" if found is None else found[1].decode()


def _is_proven(raw: bytes) -> bool:
    """Whether the digest in the UsernameToken is that of nonce, moment and password."""
    said = re.search(rb"PasswordDigest\">([^<]*)<", raw)
    nonce = re.search(rb"Nonce [^>]*>([^<]*)<", raw)
    if said is None or nonce is None or _text(raw, "Username") != _USER:
        return False
    whole = base64.b64decode(nonce[1]) + _text(raw, "Created").encode() + _PASSWORD.encode()
    return base64.b64encode(hashlib.sha1(whole).digest()) == said[1]  # noqa: S324 - as the standard says


def _answer(told: str) -> web.Response:
    return web.Response(text=f"{_HEAD.format(_SPACE)}{told}{_TAIL}", content_type="text/xml")


def _fault(code: str) -> web.Response:
    told = f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>Lỗi</faultstring></e:Fault>"
    return web.Response(text=f"{_HEAD.format(_SPACE)}{told}{_TAIL}", status=500, content_type="text/xml")


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[County]:
    """The service at a free port of this machine; its description and secrets lie in ``folder``."""
    county = County(folder)
    await county.counter.start()
    for name, secret in (("keys/dat-dai.pass", _PASSWORD), ("keys/dat-dai.goi", _CALLER)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{secret}\n")
    (folder / _DESCRIPTION).parent.mkdir(parents=True, exist_ok=True)
    for name in ("dat-dai.toml", "dat-dai.wsdl", "dat-dai.xsd"):
        shutil.copy(Path(__file__).parent / "example" / name, (folder / _DESCRIPTION).with_name(name))
    county.settings = {
        "url": f"{county.counter.url}/dat-dai.asmx",
        "description": _DESCRIPTION,
        "security": {"username": _USER, "password_file": "keys/dat-dai.pass", "kind": "digest"},
        "caller_secret_file": "keys/dat-dai.goi",
        "poll_seconds": 0,
        "timeout": 5,
    }
    try:
        yield county
    finally:
        await county.counter.stop()
