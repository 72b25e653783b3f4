"""The service in small, written from the facts page: headers for everything, numbers for ids, two kinds of no.

``knows_repeats``: a new document whose id it holds is refused (ExistDoc), as the real one does. ``hash_name``: how it
computes hash-edoc; a wrong one is refused. Both lists are per message type.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.core.documents.sample import Glance, glance, sample_letter, sample_status
from gateway.ports import Parcel

BASE: Final = "/EdocService"
ORGAN: Final = "H33.16"
#: Made up for this stand-in alone.
TOKEN: Final = "the-mau-cua-don-vi-42"  # noqa: S105
_KINDS: Final = {"EDOC": "edoc", "STATUS": "status"}


@dataclass(slots=True)
class Item:
    """A document or status it holds: one that waits for the organ, or one that was posted (``name``: its delivery)."""

    id: int
    kind: str
    raw: bytes
    is_pending: bool = True
    name: str = ""


@dataclass(slots=True)
class Service:
    """The service, for the one organ whose token it knows."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    knows_repeats: bool = False
    hash_name: str | None = "sha256"
    unknown: frozenset[str] = frozenset({"H99.99"})
    waits: list[Item] = field(default_factory=list)
    mail: list[Item] = field(default_factory=list)
    #: Statuses that found no document: they are not kept, but stand in the service's log.
    strays: list[bytes] = field(default_factory=list)
    organizations: list[dict[str, str]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post(f"{BASE}/sendDocument", self._send),
            web.get(f"{BASE}/getPendingDocIds", self._pending),
            web.post(f"{BASE}/getDocument", self._get),
            web.post(f"{BASE}/confirmReceived", self._confirm),
            web.post(f"{BASE}/checkExistDocument", self._check),
            web.get(f"{BASE}/getOrganizations", self._organizations),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({f"{BASE}/sendDocument"}))

    # ------------------------------------------------------------------------------------- for those who watch

    def put(self, raw: bytes, kind: str = "edoc") -> str:
        """Something for the organ has come. Its id."""
        item = Item(next(self._ids), kind, raw)
        self.waits.append(item)
        return str(item.id)

    def is_pending(self, item_id: str) -> bool:
        """Whether an item waits still."""
        return next(item.is_pending for item in self.waits if str(item.id) == item_id)

    def posted(self) -> list[bytes]:
        """Every file that was taken, in order."""
        return [one.raw for one in self.mail]

    def unsettled(self) -> list[str]:
        """Ids of what is not settled."""
        return [str(item.id) for item in self.waits if item.is_pending]

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
        """The words of the statuses 02 that came from the bus, also of those about nothing that is known here."""
        seen = [glance(raw) for raw in (*self.posted(), *self.strays)]
        return [each.description for each in seen if each is not None and each.status == "02"]

    # ------------------------------------------------------------------------------------------------ the doors

    def _stranger(self, request: web.Request) -> web.Response | None:
        organ, token = request.headers.get("organId"), request.headers.get("Authorization")
        if self.faults.strikes("unauthorized") or (organ, token) != (ORGAN, TOKEN):
            return _no("Fail", "Unauthorized", status=401)
        return None

    async def _send(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        kind = _KINDS.get(request.headers.get("messageType", ""))
        if kind is None or request.content_type != "application/octet-stream":
            return _no("Fail", "BadRequest")
        raw = await request.read()
        if self.faults.refusal:
            return _no("Fail", self.faults.refusal.pop(0))
        told = request.headers.get("hash-edoc")
        if self.hash_name is not None and told != hashlib.new(self.hash_name, raw).hexdigest():
            return _no("Error", "EdocHash")
        seen = glance(raw)
        if seen is None or bool(seen.status) != (kind == "status"):
            return _no("Error", "InternalServer")
        if self.unknown & set(seen.receivers):
            return _no("Fail", "OrganId", f"{seen.subject}")
        if kind == "status" and not self._is_known(seen):
            self.strays.append(raw)
            return web.json_response({"code": "0", "status": "Error", "docId": 0, "errors": []})
        held = [face for one in self.mail if one.kind == "edoc" and (face := glance(one.raw)) is not None]
        is_repeat = any(seen.document_id == face.document_id for face in held)
        if self.knows_repeats and kind == "edoc" and seen.business == "0" and is_repeat:
            return _no("Fail", "ExistDoc")
        one = Item(next(self._ids), kind, raw, is_pending=False, name=request.headers.get("X-Delivery-Id", ""))
        self.mail.append(one)
        if self.faults.strikes("missing"):
            return web.json_response({})
        return web.json_response({"code": "0", "status": "Success", "docId": one.id, "errors": []})

    def _is_known(self, status: Glance) -> bool:
        """Whether a document of that issuer and code was sent to whoever reports; compared letter by letter."""
        faces = [glance(item.raw) for item in (*self.waits, *self.mail) if item.kind == "edoc"]
        pair = (status.receivers[0], status.code)
        return any((face.sender, face.code) == pair and status.sender in face.receivers for face in faces if face)

    async def _pending(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        kind = _KINDS.get(request.headers.get("messageType", ""))
        if kind is None:
            return _no("Error", "MessageType")
        if self.faults.strikes("missing"):
            return web.json_response({"code": "0", "status": "Success", "errors": []})
        ids = [item.id for item in self.waits if item.kind == kind and item.is_pending]
        ids *= 2 if self.faults.twice else 1
        return web.json_response({"code": "0", "status": "Success", "docIDs": ids, "errors": []})

    def _asked(self, request: web.Request) -> Item | None:
        asked = (request.headers.get("docId"), _KINDS.get(request.headers.get("messageType", "")))
        return next((item for item in self.waits if (str(item.id), item.kind) == asked), None)

    async def _get(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        item = self._asked(request)
        if item is None:
            return _no("Error", "DocID")
        text = base64.b64encode(item.raw).decode()
        if str(item.id) in self.faults.spoiled:
            text = f"{text[:10]}*{text[11:]}"
        return web.json_response({"code": "0", "status": "Success", "data": text, "errors": []})

    async def _confirm(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        item = self._asked(request)
        if item is None:
            return _no("Fail", "DocID")
        item.is_pending = False
        return web.json_response({"code": "0", "status": "Success", "errors": []})

    async def _check(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        asked = json.loads(await request.read())
        if set(asked) != {"fromOrgan", "toOrgan", "docCode"}:
            return _no("Fail", "BadRequest")
        faces = [face for one in self.mail if one.kind == "edoc" and (face := glance(one.raw)) is not None]
        is_there = any(
            (face.sender, face.code) == (asked["fromOrgan"], asked["docCode"]) and asked["toOrgan"] in face.receivers
            for face in faces
        )
        return web.json_response({"code": "0", "status": "Success", "isExist": is_there, "errors": []})

    async def _organizations(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        if not request.query.get("domain"):
            return web.Response(status=400, text="Required parameter 'domain' is not present")
        return web.json_response({"code": "0", "status": "Success", "organizations": self.organizations, "errors": []})


def _no(state: str, code: str, words: str = "…", *, status: int = 200) -> web.Response:
    errors = [{"code": code, "description": words}]
    return web.json_response({"code": "9999", "status": state, "docId": 0, "errors": errors}, status=status)


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Service]:
    """A service whose settings fit the adapter beside this file; its secret is a file under ``folder``."""
    service = Service()
    await service.counter.start()
    file = folder / "keys" / "bkav.token"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{TOKEN}\n")
    service.settings = {
        "url": service.counter.url, "organ_id": ORGAN, "token_file": "keys/bkav.token", "confidentiality": "none",
        "poll_seconds": 0, "timeout": 5, "file_timeout": 5,
    }  # fmt: skip
    try:
        yield service
    finally:
        await service.counter.stop()
