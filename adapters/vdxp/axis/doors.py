"""The doors of the axis: one handler for each call of the kit, over what is kept, with the faults that are set."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from adapters.vdxp.axis.faults import Fault, Faults
from adapters.vdxp.axis.frame import OPERATIONS, BadCredentials, BadFrame, Frame, judged, odd_hash
from adapters.vdxp.axis.keeping import Item, Keeper, Kept, Listed, Member, local
from adapters.vdxp.axis.relaying import NotEdxml, Ways, relayed, slip_of

_LARGEST: Final = 320 << 20
_OK: Final = {"status": "OK", "ErrorCode": "0", "ErrorDesc": "Success"}
_PAGE: Final = b"<!DOCTYPE html><html><head><title>502</title></head><body>Bad gateway</body></html>"
_MEANINGS: Final = {
    "10": "Invalid file",
    "15": "Wrong SystemId or SecretKey",
    "18": "Receiver does not exist",
    "19": "Sender is not registered",
    "20": "System error",
    "21": "File processing error",
    "22": "Wrong edXML format",
    "23": "Receiver is locked",
}


class Refused(Exception):
    """The axis says FAIL with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Doors:
    """The calls over one keeper. ``violations`` tells every request that was not framed as the kit frames it."""

    keeper: Keeper
    faults: Faults
    ways: Ways
    now: Callable[[], float] = time.time
    #: What the axis is believed to take beyond the kit's own parameters, by operation.
    extra: dict[str, frozenset[str]] = field(default_factory=lambda: {"updateStatus": frozenset({"description"})})
    #: Whether whoever sent a document may fetch it again.
    senders_may_fetch: bool = True
    #: Wrong credentials are told by HTTP 401 instead of code 15.
    answers_401: bool = False
    violations: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> web.Application:
        """The doors under ``/XrdAdapter/adapter``."""
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/XrdAdapter/adapter/{operation}", self._handle)
        return app

    def end(self) -> None:
        """Let hanging answers go."""
        self._end.set()

    def begin(self) -> None:
        """Serve again."""
        self._end.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["operation"]
        if name not in OPERATIONS:
            return web.Response(status=404, text="Not Found")
        fields = {key.lower(): value for key, value in request.headers.items()}
        body = await request.read()
        secrets = {member.system: member.secret for member in self.keeper.members.values()}
        try:
            frame = judged(name, request.method, fields, secrets, self.extra.get(name, frozenset()))
        except BadCredentials:
            if self.answers_401:
                return _unauthorized()
            return _told({**_failed("15")})
        except BadFrame as why:
            self.violations.append(f"{name}: {why}")
            return web.json_response({**_failed("20"), "ErrorDesc": str(why)}, status=400)
        self.calls.append((name, dict(frame.parameters)))
        fault = self.faults.next(name, self._title(name, frame))
        return await self._with_fault(request, fault, lambda: self._done(name, frame, fields, body))

    async def _with_fault(
        self, request: web.Request, fault: Fault | None, do: Callable[[], web.Response]
    ) -> web.StreamResponse:
        kind = None if fault is None else fault.kind
        value: Any = "" if fault is None else fault.value
        if kind == "slow":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), float(value))
        elif kind == "code":
            return _told(_failed(str(value)))
        elif kind == "http":
            return web.Response(status=int(value), text="trouble")
        elif kind == "unauthorized":
            return _unauthorized()
        elif kind == "html":
            return web.Response(body=_PAGE, content_type="text/html")
        elif kind == "text":
            return web.Response(text="OK")
        elif kind == "null":
            return web.Response(text="null", content_type="application/json")
        elif kind == "reset":
            _break(request)
            return web.Response()
        answer = do()
        if kind == "lost-reply":
            _break(request)
        elif kind in {"no-data", "null-data", "bad-base64"}:
            return _spoilt(answer, str(kind))
        elif kind in {"cut", "endless"}:
            return await self._broken(request, answer, is_endless=kind == "endless")
        return answer

    async def _broken(self, request: web.Request, answer: web.Response, *, is_endless: bool) -> web.StreamResponse:
        body = bytes(answer.body or b"")  # type: ignore[arg-type]
        stream = web.StreamResponse(headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")})
        if not is_endless:
            stream.content_length = len(body)
        await stream.prepare(request)
        with contextlib.suppress(ConnectionError):
            await stream.write(body[: len(body) // 2])
            while is_endless and not self._end.is_set():
                await stream.write(b" " * 65536)
                await asyncio.sleep(0)
        _break(request)
        return stream

    def _title(self, name: str, frame: Frame) -> str:
        if name not in {"getEdoc", "downloadEdoc"}:
            return ""
        found = next((i for i in self.keeper.items if i.receiver_doc_id == frame.parameters["docId"]), None)
        return "" if found is None else found.document.title

    def _done(self, name: str, frame: Frame, fields: dict[str, str], body: bytes) -> web.Response:
        member = self.keeper.members[frame.system]
        handlers: dict[str, Callable[[], web.Response]] = {
            "sendEdoc": lambda: self._send(member, frame.parameters, fields, body),
            "getReceivedEdocList": lambda: self._received(member, frame.parameters),
            "getEdoc": lambda: self._edoc(member, frame.parameters),
            "downloadEdoc": lambda: self._edoc(member, frame.parameters, is_stream=True),
            "getSentEdocList": lambda: self._sent(member, frame.parameters),
            "updateStatus": lambda: self._update(member, frame.parameters),
            "countReceiveEdoc": lambda: _told({**_OK, "count": len(self.keeper.waiting(member, "edoc"))}),
            "countReceiveStatus": lambda: _told({**_OK, "count": len(self.keeper.waiting(member, "status"))}),
            "getAgenciesList": lambda: _told({**_OK, "data": self._agencies()}),
            "getAgenciesListQD20": lambda: _told({**_OK, "data": self._agencies_qd20()}),
            "getSynchronizeUnit": lambda: _told({**_OK, "data": self._units()}),
            "registerAgency": lambda: self._register(member, body),
            "deleteAgency": lambda: self._delete(member, frame.parameters),
        }
        try:
            return handlers[name]()
        except Refused as refusal:
            return _told(_failed(refusal.code))

    # ----------------------------------------------------------------------------------------------- documents

    def _send(self, member: Member, wish: Any, fields: dict[str, str], body: bytes) -> web.Response:
        if wish["servicetype"] != "eDoc" or wish["messagetype"] not in {"edoc", "status"}:
            raise Refused("20")
        if not body.endswith(b"\r\n"):
            raise Refused("10")
        raw = body[:-2]
        if wish["hash-file"] != odd_hash(raw):
            raise Refused("10")
        if not member.speaks_for(wish["from"]):
            raise Refused("19")
        try:
            slip = slip_of(raw)
            if slip.is_status != (wish["messagetype"] == "status"):
                raise Refused("22")
            changed = relayed(raw, self.ways, local(self.now()))
        except NotEdxml:
            raise Refused("22") from None
        receivers = _codes(wish["to"]) if "to" in wish else slip.receivers
        self._check_receivers(receivers)
        kept = Kept(
            self.keeper.new_id(),
            wish["messagetype"],
            wish["from"],
            member.system,
            slip.title,
            slip.notation,
            raw,
            changed,
            fields,
            self.now(),
        )
        self.keeper.take(kept, dict.fromkeys(receivers), at=self.now())
        return _told({**_OK, "DocId": kept.doc_id})

    def _check_receivers(self, receivers: tuple[str, ...]) -> None:
        if not receivers:
            raise Refused("18")
        for code in receivers:
            found = self.keeper.agency(code)
            if found is None or found.is_deleted:
                raise Refused("18")
            if found.is_locked:
                raise Refused("23")

    def _received(self, member: Member, wish: Any) -> web.Response:
        items = self.keeper.waiting(member, wish["messagetype"])
        days = [wish.get(name, "").replace("-", "/") for name in ("fromDate", "toDate")]
        items = [item for item in items if _is_within(local(item.document.at)[:10], days[0], days[1])]
        if self.faults.disorder:
            items.reverse()
        if "pageSize" in wish:
            size, index = int(wish["pageSize"]), int(wish.get("pageIndex", "1"))
            items = items[(index - 1) * size : index * size]
        rows = [_row(item) for item in items]
        return _told({**_OK, "data": [row for row in rows for _ in range(2 if self.faults.doubles else 1)]})

    def _edoc(self, member: Member, wish: Any, *, is_stream: bool = False) -> web.Response:
        items = self.keeper.of(member, wish["docId"])
        kept = items[0].document if items else self.keeper.documents.get(wish["docId"])
        if kept is None or (not items and not (self.senders_may_fetch and kept.member == member.system)):
            raise Refused("10")
        if is_stream:
            return web.Response(body=kept.relayed, content_type="application/octet-stream")
        return _told({**_OK, "data": base64.b64encode(kept.relayed).decode()})

    def _sent(self, member: Member, wish: Any) -> web.Response:
        youngest = self.now() - self.faults.lag
        rows = [
            {
                "serviceType": "eDoc",
                "messageType": item.document.type,
                "senderDocId": item.document.doc_id,
                "receiverDocId": item.receiver_doc_id,
                "fromCode": item.document.sender,
                "toCode": item.receiver,
                "title": item.document.title,
                "notation": item.document.notation,
                "sentTime": local(item.document.at),
                "receivedTime": "" if item.status == "initial" else local(item.updated),
                "sendStatus": "done",
                "sendStatusDesc": "",
                "receiveStatus": item.status,
                "receiveStatusDesc": item.note,
            }
            for item in self.keeper.items
            if item.document.member == member.system
            and item.document.type == wish["messagetype"]
            and wish.get("docId", "") in {"", item.document.doc_id}
            and item.document.at <= youngest
        ]
        return _told({**_OK, "data": rows})

    def _update(self, member: Member, wish: Any) -> web.Response:
        items = self.keeper.of(member, wish.get("docId") or wish.get("docid", ""))
        if not items or wish["status"] not in {"processing", "done", "fail"}:
            raise Refused("20")
        for item in items:
            item.status, item.note, item.updated = wish["status"], wish.get("description", ""), self.now()
        return _told(dict(_OK))

    # ------------------------------------------------------------------------------------------------ agencies

    def _agencies(self) -> list[dict[str, Any]]:
        return [
            {"id": str(number), "pid": self._id(each.parent), "code": each.old or each.code, "name": each.name,
             "mail": each.mail, "oldCode": ""}
            for number, each in enumerate(self.keeper.all_agencies(), start=1)
        ]  # fmt: skip

    def _agencies_qd20(self) -> list[dict[str, Any]]:
        return [
            {"id": str(number), "code": each.code, "name": each.name, "mail": each.mail, "code102": each.old}
            for number, each in enumerate(self.keeper.all_agencies(), start=1)
        ]

    def _units(self) -> list[dict[str, Any]]:
        return [
            {"id": str(number), "pid": self._id(each.parent), "code": each.code, "name": each.name, "mail": each.mail,
             "version": 1, "centerCode": each.centre, "deleted": each.is_deleted, "modifyDate": "2025/07/01 00:00:00",
             "isAgency": not each.code.endswith(".W00")}
            for number, each in enumerate(self.keeper.all_agencies(), start=1)
        ]  # fmt: skip

    def _id(self, code: str) -> str:
        found = (str(n) for n, each in enumerate(self.keeper.all_agencies(), start=1) if each.code == code)
        return next(found, "0")

    def _register(self, member: Member, body: bytes) -> web.Response:
        try:
            wish = json.loads(body)
        except ValueError:
            raise Refused("20") from None
        if set(wish) != {"id", "pcode", "code", "name", "mail", "mobile", "fax"}:
            raise Refused("20")
        member.agencies[wish["code"]] = Listed(wish["code"], wish["name"], parent=wish["pcode"], mail=wish["mail"])
        return _told(dict(_OK))

    def _delete(self, member: Member, wish: Any) -> web.Response:
        if member.agencies.pop(wish["AgencyCode"], None) is None:
            raise Refused("18")
        return _told(dict(_OK))


def _codes(text: str) -> tuple[str, ...]:
    """A ``to`` parameter: a JSON list of codes, or one code."""
    if not text.startswith("["):
        return (text,)
    try:
        return tuple(json.loads(text))
    except ValueError:
        raise Refused("18") from None


def _row(item: Item) -> dict[str, str]:
    return {
        "docId": item.receiver_doc_id,
        "serviceType": "eDoc",
        "messageType": item.document.type,
        "created_time": local(item.document.at),
        "updated_time": local(item.updated),
        "from": item.document.sender,
        "to": item.receiver,
        "status": item.status,
        "status_desc": item.note,
    }


def _is_within(day: str, first: str, last: str) -> bool:
    return (not first or day >= first) and (not last or day <= last)


def _failed(code: str) -> dict[str, str]:
    return {"status": "FAIL", "ErrorCode": code, "ErrorDesc": _MEANINGS.get(code, "Error")}


def _told(answer: dict[str, Any]) -> web.Response:
    return web.json_response(answer)


def _unauthorized() -> web.Response:
    return web.json_response({"code": 401, "message": "Unauthorized", "licenseInfo": "invalid"}, status=401)


def _spoilt(answer: web.Response, kind: str) -> web.Response:
    try:
        told = json.loads(answer.text or "{}")
    except ValueError:
        return web.Response(text="")
    for name in ("data", "DocId", "count"):
        if name in told and kind == "no-data":
            del told[name]
        elif name in told:
            told[name] = None if kind == "null-data" else "%%% no base64 %%%"
    return _told(told)


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
