"""The door that the portal calls: who calls is proven, what it brings is taken, then it is told so in its words."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

from adapters.dvcqg.bill import FAILED, Bills
from adapters.dvcqg.fetching import Fetching
from adapters.dvcqg.filing import Brought, Filing, Senseless, items_of
from gateway.calls.gate import Gate
from gateway.core.content import whole
from gateway.core.faults import Busy, DeliveryFailure, Text
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.visit import Call, NotReceived, Reply
from gateway.core.wire_record import name_in
from gateway.ports import AdapterContext, Take

_FILED: Final = frozenset({"nhanhsdvcqg", "addtthckhuyenmai"})
_TAX: Final = "nhantbthuedvcqg"
_BILL: Final = "dptracuuthanhtoanhs"
#: What a call brings at most (bytes): files come by address.
_LARGEST: Final = 8 << 20
_LATER: Final = {"Retry-After": "5"}


class Counter:
    """Answers the portal's calls. An ``error_code`` of 0 is said only of what was taken, all of it."""

    def __init__(
        self, context: AdapterContext, gate: Gate | None, filing: Filing, fetching: Fetching, bills: Bills
    ) -> None:
        """``gate`` is None where the settings open no door."""
        self._context = context
        self._gate = gate
        self._filing = filing
        self._fetching = fetching
        self._bills = bills

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer one call."""
        try:
            if self._gate is None or not await asyncio.to_thread(self._gate.lets_in, call):
                return _told(FAILED, _STRANGER, 401)
            if call.method != "POST":
                return _told(FAILED, _NO_SERVICE, 405)
            if call.body.size > _LARGEST:
                return _told(FAILED, _TOO_LARGE, 413)
            body = parse_strict(await asyncio.to_thread(whole, call.body))
            service = _service(call, body)
            if service == _BILL:
                return await self._bill(body)
            if service not in {*_FILED, _TAX}:
                return _told(FAILED, _NO_SERVICE, 404)
            return await self._filed(service, body, take)
        except StrictJsonError:
            return _told(FAILED, _NO_JSON, 400)
        except Senseless as refusal:
            return _told(FAILED, refusal.detail)
        except (Busy, DeliveryFailure):
            return _told(FAILED, _BUSY, 503, _LATER)

    async def _filed(self, service: str, body: Any, take: Take) -> Reply:
        # However many dossiers a call brings: the portal does not wait longer for their files.
        end = self._fetching.end()
        for item in items_of(body):
            refusal = await self._taken(service, item, end, take)
            if refusal is not None:
                return _told(FAILED, refusal)
        return _told(0, _DONE)

    async def _taken(self, service: str, item: Any, end: float, take: Take) -> Text | None:
        """Take one item, with the files that are fetched by ``end``; why it is refused, or None."""
        now = self._context.now()
        brought: Brought
        if service == _TAX:
            brought = self._filing.tax_notice(item, now)
        else:
            known = await self._context.dossier(self._filing.code_of(item))
            brought = self._filing.dossier(item, known, now, is_filing=True)
        files, warnings = await self._fetching.files(brought.addresses(), end)
        message = self._filing.message(brought, files, now)
        if warnings:
            message = replace(message, warnings=(*message.warnings, *warnings))
        received = await take(message)
        return received.detail if isinstance(received, NotReceived) else None

    async def _bill(self, body: Any) -> Reply:
        try:
            code = self._filing.code_of(items_of(body)[0])
        except Senseless:
            return _framed({"error_code": FAILED, "message": []})
        known = await self._context.dossier(code)
        result, bill = await asyncio.to_thread(self._bills.bill, known)
        return _framed({"error_code": result, "message": bill})


def _service(call: Call, body: Any) -> str:
    """Which service is called: the end of the path, or as the portal's own services are told, by name in the body."""
    last = call.path.rstrip("/").rpartition("/")[2].lower()
    if last in {*_FILED, _TAX, _BILL}:
        return last
    named = name_in(body, "service") if isinstance(body, dict) else None
    return named.lower() if isinstance(named, str) else ""


def _told(code: int, words: Text, status: int = 200, fields: dict[str, str] | None = None) -> Reply:
    message = f"{words.vi} - {words.en}" if words.en else words.vi
    return _framed({"error_code": code, "message": message}, status, fields)


def _framed(frame: dict[str, Any], status: int = 200, fields: dict[str, str] | None = None) -> Reply:
    return Reply(json.dumps(frame, ensure_ascii=False).encode(), status, "application/json", fields or {})


_DONE: Final = Text("Thành công", "")
_STRANGER: Final = Text(
    "Bên gọi chưa chứng minh được mình là ai: kiểm tra địa chỉ và khoá đã thống nhất.",
    "The caller did not prove who it is: it must check address and secret as agreed.",
)
_NO_SERVICE: Final = Text(
    "Không có dịch vụ này: gọi POST nhanhsdvcqg, nhantbthuedvcqg, addtthcKhuyenMai hoặc dptracuuthanhtoanhs.",
    "No such service: POST to nhanhsdvcqg, nhantbthuedvcqg, addtthcKhuyenMai or dptracuuthanhtoanhs.",
)
_NO_JSON: Final = Text(
    "Nội dung không phải JSON đúng: bên gọi cần sửa rồi gọi lại.", "This is no sound JSON: the caller must mend it."
)
_TOO_LARGE: Final = Text(
    "Nội dung quá lớn: tệp phải gửi bằng đường dẫn.", "This is too large: files must be sent as addresses."
)
_BUSY: Final = Text(
    "Trục đang bận, chưa nhận: bên gọi gọi lại sau ít giây.", "The bus is busy and took nothing: call again soon."
)
