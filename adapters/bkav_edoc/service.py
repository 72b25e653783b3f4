"""The service as its source speaks it: everything in headers, files as octets, ids as numbers, answers with status 200.

Its no has two kinds. ``code`` 9999 with ``errors``: what is wrong stands in the first error's code. ``code`` 0 with
``status`` Error: a status report that finds no document, which may come about yet.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from gateway.calls.account import secret_in, succeeded
from gateway.calls.caller import Answer, Body, Caller
from gateway.calls.exchange import Listed, Undecodable
from gateway.core.content import Content, InMemory, NewSink, pieces
from gateway.core.documents.letter import Letter, MessageKind
from gateway.core.faults import PermanentFailure, TimedOut, TransientFailure
from gateway.core.lifting import from_base64, lift
from gateway.core.moments import parse_moment
from gateway.core.strictjson import StrictJsonError
from gateway.ports import AdapterContext, Parcel

#: A file in an answer is base64, four bytes of three, and there is something around it (times the file's size).
_ROOM: Final = 2
_KINDS: Final[Mapping[MessageKind, str]] = {"edoc": "EDOC", "status": "STATUS"}
#: Errors of the service itself, not of the file; a hash that does not fit may be the line's fault or a wrong setting.
_ITS_OWN: Final = frozenset({"InternalServer", "SendDocument", "File Not Found", "EdocHash"})
_EXISTS: Final = "ExistDoc"
_HOUR: Final = 3600.0


class AlreadyThere(Exception):
    """The service holds a document of this id and takes no other new one."""


class NoSuchDocument(Exception):
    """The service took note of a status report but knows no document that it is about."""


class Service:
    """One organ at one service, as an exchange needs it (``gateway.calls.exchange``), and its list of agencies."""

    def __init__(self, context: AdapterContext, largest: int) -> None:
        """``largest``: bytes of an .edxml file."""
        settings = context.settings
        self._context = context
        self._most = largest * _ROOM
        self._base = str(settings.get("base", "/EdocService")).rstrip("/")
        self._organ = str(settings["organ_id"])
        self._file_timeout = float(settings.get("file_timeout", 60))
        self._caller = Caller(
            str(settings["url"]),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 30)),
            new_sink=context.new_sink,
        )

    async def send(self, letter: Letter, parcel: Parcel) -> str | None:
        """``sendDocument``; a status that finds no document is tried again for some hours of the message's age."""
        try:
            return await self._post(letter.content, letter.kind, parcel.delivery)
        except AlreadyThere:
            # Ours, if an earlier try may have got through and it is there for these receivers.
            asks = self._context.settings.get("check", "documents") != "none"
            if parcel.may_have_arrived and (not asks or await self.find(letter, 0.0) is not None):
                return f"{letter.code} (found there)"
            raise PermanentFailure(_THERE_ALREADY) from None
        except NoSuchDocument:
            made = parse_moment(str(parcel.event.get("time"))) or 0.0
            patience = float(self._context.settings.get("status_patience_hours", 48)) * _HOUR
            if self._context.now() - made > patience:
                raise PermanentFailure(_NEVER_FOUND) from None
            raise TransientFailure(_NOT_FOUND) from None

    async def find(self, letter: Letter, since: float) -> str | None:  # noqa: ARG002 - the service tells no moment
        """Whether a document of this code is there already, by ``checkExistDocument``."""
        if self._context.settings.get("check", "documents") == "none" or not letter.code:
            return None
        for receiver in letter.receivers:
            asked = {"fromOrgan": letter.sender, "toOrgan": receiver, "docCode": letter.code}
            body, fields = json.dumps(asked).encode(), {"Content-Type": "application/json"}
            value = _checked(await self._ask("POST", "/checkExistDocument", fields, body=body))
            if value.get("isExist") is True:
                return letter.code
        return None

    async def listed(self, kind: MessageKind) -> Sequence[Listed]:
        """``getPendingDocIds``: numbers alone."""
        answer = await self._ask("GET", "/getPendingDocIds", self._kind(kind), is_large=True)
        ids = (await asyncio.to_thread(_checked, answer)).get("docIDs")
        if not isinstance(ids, list):
            raise TransientFailure("the answer has no list", answer.status)
        good = sorted(number for number in ids if isinstance(number, int) and not isinstance(number, bool))
        # An organ that receives for others is a centre: then each file says for whom it is.
        receiver = "" if self._context.settings.get("receivers") else self._organ
        return [Listed(kind, str(number), receiver) for number in good]

    async def fetch(self, item: Listed) -> Content:
        """``getDocument``: the file as base64 in ``data``."""
        fields = {**self._kind(item.kind), "docId": item.id}
        answer = await self._ask("POST", "/getDocument", fields, within=self._file_timeout, is_large=True)
        return await asyncio.to_thread(_file_in, answer, self._context.new_sink)

    async def report(self, raw: bytes, item: Listed) -> None:
        """A status about a refused item; where the service cannot tell whose, the words stand in its log."""
        try:
            await self._post(InMemory(raw), "status", f"refusal-{item.id}")
        except NoSuchDocument:
            return

    async def settle(self, item: Listed, *, is_taken: bool) -> None:  # noqa: ARG002 - it knows one way to end
        """``confirmReceived``: the item waits no more."""
        fields = {**self._kind(item.kind), "docId": item.id}
        _checked(await self._ask("POST", "/confirmReceived", fields))

    async def agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """``getOrganizations``: the agencies below a domain; no hierarchy is told."""
        params = {"domain": str(self._context.settings.get("domain", self._organ))}
        answer = await self._ask("GET", "/getOrganizations", params=params, is_large=True)
        rows = (await asyncio.to_thread(_checked, answer)).get("organizations")
        if not isinstance(rows, list):
            raise TransientFailure("the answer has no list of agencies", answer.status)
        for row in rows:
            code = str(row.get("organId") or "").strip() if isinstance(row, dict) else ""
            if code:
                name = str(row.get("organName") or "").strip()
                yield {"code": code, "name": name, "parent": None, "aliases": [], "level": None}

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    # --------------------------------------------------------------------------------------------------- calls

    async def _post(self, content: Content, kind: MessageKind, name: str) -> str | None:
        fields = {**self._kind(kind), "Content-Type": "application/octet-stream", "X-Delivery-Id": name}
        algorithm = str(self._context.settings.get("hash", "sha256"))
        if algorithm != "none":
            fields["hash-edoc"] = await asyncio.to_thread(_digest, content, algorithm)
        answer = await self._ask("POST", "/sendDocument", fields, body=content, within=self._file_timeout)
        value = answer.json()
        if _error(value) == _EXISTS:
            raise AlreadyThere
        value = _judged(value, answer.status)
        if "code" not in value or "status" not in value:
            raise TimedOut("the answer does not say whether it was taken", answer.status)
        if str(value["status"]).casefold() != "success":
            if kind == "status":
                raise NoSuchDocument
            raise TransientFailure("the service says no without a code", answer.status)
        found = value.get("docId")
        return str(found) if isinstance(found, int) and found else None

    async def _ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        within: float | None = None,
        is_large: bool = False,
    ) -> Answer:
        """One call with the organ's headers; raises for every status but 2xx."""
        settings = self._context.settings
        token = secret_in(str(settings["token_file"]), self._context.read_secret)
        named = {
            **(fields or {}),
            "organId": self._organ,
            "Authorization": f"{settings.get('token_prefix', '')}{token}",
        }
        answer = await self._caller.ask(
            method, self._base + path, params=params, fields=named, body=body, within=within, most=self._most,
            is_large=is_large,
        )  # fmt: skip
        return succeeded(answer, self._context.now())

    def _kind(self, kind: MessageKind) -> dict[str, str]:
        return {str(self._context.settings.get("message_type_header", "messageType")): _KINDS[kind]}


def _error(value: Any) -> str | None:
    """The code of the first error in an answer."""
    errors = value.get("errors") if isinstance(value, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return str(first.get("code")) if isinstance(first, dict) else None


def _judged(value: Any, status: int) -> dict[str, Any]:
    """``value`` where it is an object whose code is not 9999; raises what the first error means."""
    if not isinstance(value, dict):
        raise TransientFailure("the answer is no object", status)
    if str(value.get("code", "0")) == "0":
        return value
    error = _error(value) or ""
    shown = error if error.isascii() and error.isalnum() and len(error) <= 40 else "?"
    # "Fail" with a reason is about the file; "Error" is the service's own trouble, and so is a no without a reason.
    if str(value.get("status")).casefold() == "fail" and error and error not in _ITS_OWN:
        raise PermanentFailure(f"[{shown}] {_REFUSED}", status)
    raise TransientFailure(f"[{shown}] the service cannot process it now", status)


def _checked(answer: Answer) -> dict[str, Any]:
    """The object in an answer that says success; anything else can be asked again."""
    value = answer.json()
    is_good = isinstance(value, dict) and str(value.get("code", "0")) == "0"
    if not is_good or str(value.get("status", "Success")).casefold() != "success":
        raise TransientFailure("the service says no to a question", answer.status)
    found: dict[str, Any] = value
    return found


def _file_in(answer: Answer, new_sink: NewSink) -> Content:
    try:
        lifted = lift(answer.content, new_sink)
    except StrictJsonError:
        raise TransientFailure(f"the answer ({answer.status}) is no JSON", answer.status) from None
    if not isinstance(lifted.value, dict) or str(lifted.value.get("code", "0")) != "0":
        raise TransientFailure("the service does not give the document now", answer.status)
    text = lifted.text("data")
    if text is None or text.size == 0:
        raise Undecodable("the answer has no data")
    try:
        return from_base64(text, new_sink)
    except ValueError:
        raise Undecodable("its data is no base64") from None


def _digest(content: Content, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces(content):
        digest.update(piece)
    return digest.hexdigest()


_REFUSED: Final = (
    "dịch vụ không nhận tệp này: văn thư nơi gửi cần sửa rồi gửi lại - the service refuses the file: the sender's clerk"
    " must mend it and send it anew"
)
_THERE_ALREADY: Final = (
    "văn bản đã có ở đó, do đường khác gửi tới: người vận hành kiểm tra rồi bỏ qua lượt giao này - the document is"
    " there already, by another way: the operator checks that and discards this delivery"
)
_NOT_FOUND: Final = "the service knows no document that this status is about, yet"
_NEVER_FOUND: Final = (
    "dịch vụ vẫn không có văn bản mà trạng thái này nói đến: văn thư hai bên đối chiếu số, ký hiệu - the service still"
    " knows no document that this status is about: the clerks of both sides compare number and notation"
)
