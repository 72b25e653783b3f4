"""The counter at which a one-stop system finds "its portal": login, services, and the reply that says what was taken.

Three kinds of software are understood. ``ocps``: a session by login, the service's name in the body. ``hgg``: a bare
list, the agency and isUpdating in the address, which ends in the service's name. ``thh``: three addresses, which end in
add, update and progress (or as the settings name them).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from adapters.onestop.item import Reader, Service, code_in
from adapters.onestop.meaning import Senseless
from gateway.calls.account import WRONG_LOGIN, secret_in
from gateway.core import ticket
from gateway.core.content import Content, whole
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.seeing import parties_in
from gateway.core.faults import Busy, Text
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.visit import Call, NotReceived, Reply
from gateway.core.wire_record import name_in, unwrapped
from gateway.ports import Take

#: In the portal's form: done, and not done.
_OK: Final = 0
_NO: Final = -1
_SERVICES: Final[Mapping[str, Service]] = {
    "dongbohosomc": "DongBoHoSoMC",
    "capnhattiendohosomc": "CapNhatTienDoHoSoMC",
}
_LOOK_UP: Final = "tracuuhoso"
#: What is read as JSON at once (bytes): a thousand dossiers have less.
_MOST_BODY: Final = 16 << 20
#: What is read of somebody who may be anybody (bytes): a login is short.
_MOST_OF_STRANGERS: Final = 64 << 10
_SESSION: Final = re.compile(rb'"session"\s{0,20}:\s{0,20}"([0-9A-Za-z._-]{1,200})"', re.IGNORECASE)
_MOST_LOOKED: Final = 5
#: A door's answer may take 60 seconds: items that come later are to be sent again.
_PATIENCE: Final = 40.0
_AGAIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls: ``username`` empty where nobody logs in (then the gate alone proves the caller)."""

    system: str
    agency: str
    username: str
    password_file: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Paths:
    """What the addresses of the third kind end in: new dossiers, updates, progress."""

    add: str = "add"
    update: str = "update"
    progress: str = "progress"


@dataclass(frozen=True, slots=True)
class _Order:
    """One call as far as it is understood: the service, its items, under which agency's code."""

    service: Service
    items: list[Any]
    is_updating: bool
    agency: str = ""


class Desk:
    """Answers the calls of one system."""

    def __init__(
        self,
        account: Account,
        reader: Reader,
        *,
        read_secret: Callable[[str], bytes],
        now: Callable[[], float],
        known: Callable[[str], Awaitable[Dossier | None]],
        paths: Paths,
        most: int,
    ) -> None:
        """``most``: items of one call. Who may come in at all was proven before."""
        self._account = account
        self._reader = reader
        self._read_secret = read_secret
        self._now = now
        self._known = known
        self._paths = paths
        self._most = most

    async def answer(self, call: Call, take: Take) -> Reply:
        """Always in the portal's form; raises Busy and TransientFailure where nothing can be said now."""
        if call.method != "POST":
            return _reply(_NO, _ONLY_POST, status=405)
        body = await asyncio.to_thread(self._body, call.body)
        if isinstance(body, Reply):
            return body
        if isinstance(body, dict) and name_in(body, "username") is not None and name_in(body, "service") is None:
            return await self._login(body)
        if (refusal := self._stranger(body)) is not None:
            return refusal
        last = call.path.rstrip("/").rpartition("/")[2]
        service = name_in(body, "service") if isinstance(body, dict) else None
        name = str(service or last).casefold()
        if name == _LOOK_UP and isinstance(body, dict):
            return await self._look_up(name_in(body, "mahoso"))
        try:
            order = self._order(call, body, name, last)
        except ValueError:
            return _reply(_NO, _NO_LIST)
        if order is None:
            return _reply(_NO, _NOT_SERVED)
        if len(order.items) > self._most:
            return _reply(_NO, _too_many(self._most))
        return await self._take_all(order, take)

    # ---------------------------------------------------------------------------------------------- who calls

    async def _login(self, body: Mapping[str, Any]) -> Reply:
        account = self._account
        if not account.username:
            return _reply(_NO, _NO_LOGIN)
        secret = self._secret()
        given = (str(name_in(body, "username") or ""), str(name_in(body, "password") or ""))
        right = (account.username, secret)
        sound = [
            hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
            for one, other in zip(given, right, strict=True)
        ]
        if not all(sound):
            await asyncio.sleep(WRONG_LOGIN)
            return _reply(_NO, _WRONG_ACCOUNT, status=401)
        session = ticket.issue(secret.encode(), account.system, self._now() + account.seconds)
        return _reply(_OK, "Đăng nhập thành công", session=session)

    def _body(self, content: Content) -> Any:
        """The body as JSON, or the refusal of one that is not read; blocks."""
        if content.size > _MOST_BODY:
            return _reply(_NO, _TOO_LARGE, status=413)
        raw = whole(content)
        if len(raw) > _MOST_OF_STRANGERS and not self._brings_session(raw):
            return _reply(_NO, _NO_SESSION)
        try:
            return parse_strict(raw)
        except StrictJsonError:
            return _reply(_NO, _NO_JSON)

    def _brings_session(self, raw: bytes) -> bool:
        """Whether a good session stands somewhere in a large body, before it is read: reading costs time and memory.

        Where it stands is looked at once it is read.
        """
        if not self._account.username:
            return True
        return any(self._is_session(found[1].decode("ascii")) for found in islice(_SESSION.finditer(raw), _MOST_LOOKED))

    def _is_session(self, given: str) -> bool:
        return ticket.holds(given, self._secret().encode(), self._account.system, self._now())

    def _stranger(self, body: Any) -> Reply | None:
        """The refusal of a call without a good session; None where it has one, or needs none."""
        if not self._account.username:
            return None
        given = name_in(body, "session") if isinstance(body, dict) else None
        if isinstance(given, str) and self._is_session(given):
            return None
        return _reply(_NO, _NO_SESSION)

    def _secret(self) -> str:
        return secret_in(self._account.password_file, self._read_secret)

    # ---------------------------------------------------------------------------------------- what is brought

    def _order(self, call: Call, body: Any, name: str, last: str) -> _Order | None:
        """What is asked for; None for a service that the bus does not have. Raises ValueError where it has no list."""
        told = call.query.get("isUpdating")
        agency = call.query.get("MaDinhDanhDV", "")
        if isinstance(body, dict):
            given = name_in(body, "isUpdating")
            told = told if given is None else str(given)
            agency = agency or str(name_in(body, "madonvi") or "")
        service = _SERVICES.get(name)
        is_updating = str(told).strip().casefold() in {"true", "1"}
        if service is None:
            ends = {self._paths.add: False, self._paths.update: True, self._paths.progress: True}
            if last not in ends or (isinstance(body, dict) and name_in(body, "service") is not None):
                return None
            service = "CapNhatTienDoHoSoMC" if last == self._paths.progress else "DongBoHoSoMC"
            is_updating = ends[last]
        return _Order(service, _items(body), is_updating, agency[:100])

    async def _take_all(self, order: _Order, take: Take) -> Reply:
        """Take item by item; each is told in ``result``, and what was not taken may be sent again as it was."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        results: list[dict[str, Any]] = []
        busy: Busy | None = None
        for raw in order.items:
            if busy is None and loop.time() >= end:
                busy = Busy("overloaded", Text(_LATER, _LATER), retry_after=_AGAIN)
            if busy is not None:
                results.append(_told(raw, _NO, _LATER))
                continue
            try:
                results.append(await self._take(raw, order, take))
            except Senseless as fault:
                results.append(_told(raw, _NO, fault.detail.vi))
            except Busy as fault:
                if not results:
                    raise
                busy = fault
                results.append(_told(raw, _NO, _LATER))
        taken = sum(each["error_code"] == _OK for each in results)
        if taken == len(results):
            return _reply(_OK, f"Đồng bộ thành công {taken} mục", result=results)
        words = f"Trục nhận {taken}/{len(results)} mục; xem result, sửa các mục lỗi rồi gửi lại"
        if busy is None:
            return _reply(_NO, words, result=results)
        wait = str(int(busy.retry_after or _AGAIN))
        return _reply(_NO, words, result=results, status=503, fields={"Retry-After": wait})

    async def _take(self, raw: Any, order: _Order, take: Take) -> dict[str, Any]:
        items = await self._reader.read(raw, order.service, is_updating=order.is_updating, agency=order.agency)
        is_repeated = True
        for item in items:
            # What was taken of several is known again when the item comes again.
            answer = await take(item)
            if isinstance(answer, NotReceived):
                return _told(raw, _NO, answer.detail.vi)
            is_repeated = is_repeated and answer.repeated
        warnings = dict.fromkeys(w.vi for item in items for w in item.warnings)
        words = ["Trục đã nhận trước đó" if is_repeated else "Trục đã nhận", *warnings]
        return _told(raw, _OK, "; ".join(words))

    async def _look_up(self, code: Any) -> Reply:
        """Whether a dossier is known, to its parties alone; to all others it is as if there were none."""
        known = await self._known(code) if isinstance(code, str) and 0 < len(code) <= 50 else None
        if known is None or self._account.agency not in parties_in(known):
            return _reply(_OK, "Trục không có hồ sơ này", result=[])
        found = {"MaHoSo": known.written, "TrangThaiHoSo": "" if known.status is None else str(known.status)}
        return _reply(_OK, "Tra cứu thành công", result=[found])


def _items(body: Any) -> list[Any]:
    """The items of a call: a list, under ``data`` or bare, or one alone; as JSON in a text, too."""
    given = body
    if isinstance(body, dict):
        found = name_in(body, "data")
        given = body if found is None and name_in(body, "service") is None else found
    given = unwrapped(given)
    items = given if isinstance(given, list) else [given]
    if not items or any(item is None for item in items):
        raise ValueError("no items")
    return items


def _told(raw: Any, code: int, words: str) -> dict[str, Any]:
    return {"MaHoSo": code_in(raw), "error_code": code, "message": words}


def _reply(
    code: int, words: str, *, status: int = 200, fields: Mapping[str, str] | None = None, **members: Any
) -> Reply:
    body = {**members, "error_code": code, "message": words}
    return Reply(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), status, fields=fields or {})


def _too_many(most: int) -> str:
    return f"Mỗi lần gọi tối đa {most} mục. Phần mềm một cửa cần chia nhỏ rồi gửi lại."


_LATER: Final = "Trục đang bận, chưa nhận mục này. Phần mềm một cửa gửi lại nguyên như cũ sau ít giây."
_ONLY_POST: Final = "Cửa này chỉ nhận POST. Đơn vị vận hành phần mềm một cửa kiểm tra địa chỉ."
_TOO_LARGE: Final = "Nội dung quá lớn. Phần mềm một cửa cần chia nhỏ rồi gửi lại."
_NO_JSON: Final = "Nội dung không phải JSON hợp lệ (UTF-8). Phần mềm một cửa cần sửa rồi gửi lại."
_NO_LIST: Final = "Không có danh sách hồ sơ (data). Phần mềm một cửa cần sửa rồi gửi lại."
_NO_LOGIN: Final = "Cửa này không dùng đăng nhập. Đơn vị vận hành phần mềm một cửa kiểm tra địa chỉ."
_WRONG_ACCOUNT: Final = "Sai tên hoặc mật khẩu. Đơn vị vận hành phần mềm một cửa kiểm tra tài khoản do trục cấp."
_NO_SESSION: Final = "Phiên không hợp lệ hoặc đã hết hạn. Phần mềm một cửa cần đăng nhập lại."
_NOT_SERVED: Final = (
    "Trục không cung cấp dịch vụ này (chỉ có DongBoHoSoMC, CapNhatTienDoHoSoMC, TraCuuHoSo). Danh mục, câu hỏi: đơn vị"
    " vận hành phần mềm một cửa lấy từ Cổng Dịch vụ công quốc gia hoặc hỏi đơn vị vận hành trục."
)
