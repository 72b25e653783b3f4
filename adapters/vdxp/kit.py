"""The calls of the official kit, one method each: framed and signed, answers read within limits, failures in our words.

What a FAIL means for a document is said by ``meaning``; of everything else an error is temporary.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import structlog

from adapters.vdxp.meaning import CREDENTIALS, CREDENTIALS_REST, credentials_refused, refusal, trouble
from adapters.vdxp.reply import NotAReply, Reply, read_reply
from adapters.vdxp.signing import USER_AGENT, file_hash, frame
from adapters.vdxp.wishes import Wishes
from gateway.calls.caller import Answer, Caller
from gateway.core.base64_text import NotBase64
from gateway.core.content import Content, pieces
from gateway.core.faults import PermanentFailure, TimedOut, TransientFailure
from gateway.ports import AdapterContext

_SERVICE: Final = "eDoc"
#: Lists hold a row an item or an agency (bytes, rows).
_LARGEST_LIST: Final = 256 << 20
_MOST_ROWS: Final = 300_000
_END: Final = b"\r\n"
#: A file that goes over any line within the usual time (bytes).
_SMALL: Final = 1 << 20
#: What a document never begins with, but the page of a proxy or an error does.
_NO_DOCUMENT: Final = (b"<!doctype html", b"<html", b"{")

log = structlog.get_logger()
Row = Mapping[str, Any]


class Undecodable(Exception):
    """The axis gives a document that is no base64."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A file with the line end that the kit writes after it."""

    inner: Content

    @property
    def size(self) -> int:
        return self.inner.size + len(_END)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for piece in pieces(self):
            digest.update(piece)
        return digest.hexdigest()

    def open(self) -> BinaryIO:
        return _WithEnd(self.inner.open())


class _WithEnd(io.RawIOBase, BinaryIO):
    """Reads a file, then the line end."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._is_ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        if self._is_ended or (piece and size >= 0):
            return piece
        self._is_ended = True
        return piece + _END

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(slots=True)
class Kit:
    """One system's calls. ``base`` is where they go; the secret is read at each."""

    wishes: Wishes
    context: AdapterContext
    _caller: Caller = field(init=False)
    #: Credentials that were refused: the secret's digest, and until when they are not shown again.
    _refused: tuple[str, float] | None = None
    #: The digest of the secret that was shown last.
    _shown: str = ""

    def __post_init__(self) -> None:
        self._caller = Caller(
            self.wishes.url,
            user_agent=USER_AGENT,
            own=self.context.own_addresses,
            private_allowed=self.wishes.private,
            timeout=self.wishes.timeout,
            new_sink=self.context.new_sink,
        )

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    async def send(
        self, content: Content, *, kind: str, sender: str, to: Sequence[str], delivery: str, attempt: int
    ) -> str | None:
        """Hand a document (``edoc``) or report (``status``) in; answers the axis' id, where it gave one.

        ``to``: receivers, none where the axis is to read them in the message. Raises as an adapter's deliver does;
        TimedOut wherever the answer does not say whether it was taken.
        """
        parameters = {"from": sender, "servicetype": _SERVICE, "messagetype": kind}
        if to:
            parameters["to"] = json.dumps(list(to), separators=(",", ":"))
        parameters["hash-file"] = file_hash(content.sha256)
        answer = await self._call(
            "sendEdoc",
            parameters,
            body=_Ended(content),
            content_type="application/octet-stream",
            besides={"lgsp-delivery": delivery} if delivery else None,
            within=None if content.size <= _SMALL else self.wishes.file_timeout,
        )
        try:
            reply = await self._read(answer)
        except NotAReply:
            if answer.status in {200, 201}:
                raise TimedOut(f"the answer ({answer.status}) to a document is no JSON object", answer.status) from None
            raise self._trouble(answer) from None
        if reply.is_success and answer.is_success:
            doc_id = reply.members.get("DocId") or reply.members.get("docId") or _inner(reply.data)
            return str(doc_id)[:200] if doc_id else None
        if not reply.code:
            raise self._trouble(answer)
        if reply.code == CREDENTIALS:
            raise self._credentials_refused(answer)
        raise refusal(reply.code, answer.status, attempt=attempt)

    async def received(self, kind: str, on_row: Callable[[Row], None], **more: str) -> int:
        """The list of what waits for us, a row at a time; answers how many rows there were."""
        return await self._list("getReceivedEdocList", {"servicetype": _SERVICE, "messagetype": kind, **more}, on_row)

    async def sent(self, kind: str, on_row: Callable[[Row], None]) -> int:
        """The list of what we sent and how far it got, a row a receiver."""
        return await self._list("getSentEdocList", {"servicetype": _SERVICE, "messagetype": kind}, on_row)

    async def agencies(self, operation: str, on_row: Callable[[Row], None], **more: str) -> int:
        """One of the axis' three lists of agencies."""
        return await self._list(operation, more, on_row)

    async def fetch(self, doc_id: str) -> Content:
        """A document as the axis gives it; raises TransientFailure, Undecodable, AnswerTooLarge."""
        parameters = {self.wishes.doc_id_key: doc_id}
        seconds = self.wishes.file_timeout
        if self.wishes.is_newer_kit:
            answer = await self._call(
                "downloadEdoc", parameters, method="GET", within=seconds, most=self.wishes.largest, is_large=True
            )
            with answer.content.open() as file:
                start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
            if answer.is_success and start and not start.startswith(_NO_DOCUMENT):
                return answer.content
            await self._sound(answer)
            raise TransientFailure("the axis gave a page instead of the document", answer.status)
        most = self.wishes.largest // 3 * 4 + (1 << 20)
        answer = await self._call("getEdoc", parameters, within=seconds, most=most, is_large=True)
        sink = self.context.new_sink()
        try:
            reply = await self._sound(answer, lambda file: read_reply(file, sink=sink))
        except NotBase64:
            raise Undecodable from None
        if reply.content is None or reply.content.size == 0:
            raise TransientFailure("the axis says OK, but gives no document", answer.status)
        return reply.content

    async def update(self, doc_id: str, status: str, description: str) -> None:
        """Say how far we got with a document: ``done`` or ``fail``."""
        parameters = {self.wishes.doc_id_key: doc_id, "status": status}
        if description:
            parameters["description"] = description
        await self._sound(await self._call("updateStatus", parameters))

    async def count(self, operation: str) -> int | None:
        """``countReceiveEdoc`` or ``countReceiveStatus``: how many wait for us, where the axis says so."""
        reply = await self._sound(await self._call(operation, {}, method="GET"))
        value = reply.members.get("count", reply.data)
        return int(value) if isinstance(value, int | str) and str(value).isdigit() else None

    async def register(self, agency: Mapping[str, str]) -> None:
        """Register an agency with the axis, or change it where ``id`` is not empty (id, pcode, code, name, …)."""
        names = ("id", "pcode", "code", "name", "mail", "mobile", "fax")
        body = json.dumps({name: agency.get(name, "") for name in names}, ensure_ascii=False).encode()
        await self._sound(await self._call("registerAgency", {}, body=body))

    async def delete(self, code: str) -> None:
        """Take an agency off the axis."""
        await self._sound(await self._call("deleteAgency", {"AgencyCode": code}))

    # --------------------------------------------------------------------------------------------- underneath

    async def _list(self, operation: str, parameters: Mapping[str, str], on_row: Callable[[Row], None]) -> int:
        answer = await self._call(
            operation, parameters, within=self.wishes.file_timeout, most=_LARGEST_LIST, is_large=True
        )
        count = 0

        def counted(row: Row) -> None:
            nonlocal count
            count += 1
            if count > _MOST_ROWS:
                raise NotAReply
            on_row(row)

        reply = await self._sound(answer, lambda file: read_reply(file, on_row=counted))
        if reply.rows is None:
            raise TransientFailure("the axis says OK, but gives no list", answer.status)
        return reply.rows

    async def _call(
        self,
        operation: str,
        parameters: Mapping[str, str],
        *,
        method: str = "POST",
        body: bytes | Content = b"",
        content_type: str = "application/json",
        besides: Mapping[str, str] | None = None,
        within: float | None = None,
        most: int = 8 << 20,
        is_large: bool = False,
    ) -> Answer:
        now = self.context.now()
        try:
            secret = await asyncio.to_thread(self.context.read_secret, self.wishes.secret_file)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TransientFailure(f"the secret of the axis cannot be read: {reason}", None, CREDENTIALS_REST) from None
        secret = secret.strip()
        self._shown = mark = hashlib.sha256(secret).hexdigest()
        if self._refused is not None and self._refused[0] == mark and now < self._refused[1]:
            raise credentials_refused(None)
        try:
            fields = frame(parameters, system=self.wishes.system_id, secret=secret, at=now, content_type=content_type)
        except ValueError as why:
            raise PermanentFailure(str(why)) from None
        answer = await self._caller.ask(
            method,
            f"/{operation}",
            fields={**fields, **(besides or {})},
            body=None if method == "GET" else body,
            within=within,
            most=most,
            is_large=is_large,
        )
        if answer.status == 401:
            raise self._credentials_refused(answer)
        return answer

    async def _read(self, answer: Answer, read: Callable[[BinaryIO], Reply] = read_reply) -> Reply:
        """The answer as a reply; raises NotAReply, NotBase64."""

        def work() -> Reply:
            with answer.content.open() as file:
                return read(file)

        return await asyncio.to_thread(work)

    async def _sound(self, answer: Answer, read: Callable[[BinaryIO], Reply] = read_reply) -> Reply:
        """A successful reply; raises TransientFailure for any other, NotBase64."""
        try:
            reply = await self._read(answer, read)
        except NotAReply:
            raise self._trouble(answer) from None
        if reply.code == CREDENTIALS:
            raise self._credentials_refused(answer)
        if not reply.is_success or not answer.is_success:
            raise trouble(reply.code, answer.status) if reply.code else self._trouble(answer)
        return reply

    def _trouble(self, answer: Answer) -> TransientFailure:
        wish = answer.retry_after(self.context.now())
        what = "is no JSON object" if answer.is_success else "is no success"
        # Nobody answers there as the kit does: waiting does not mend a wrong address.
        is_elsewhere = answer.is_success or answer.status in {301, 302, 303, 307, 308, 404, 405}
        act = "; the operator of the bus must check settings.url, or ask the axis' operator" if is_elsewhere else ""
        return TransientFailure(f"the answer ({answer.status}) {what}{act}", answer.status, wish)

    def _credentials_refused(self, answer: Answer) -> TransientFailure:
        """Tell the operator aloud, and show the same credentials again only after a rest."""
        self._refused = self._shown, self.context.now() + CREDENTIALS_REST
        log.error("axis.credentials-refused", agency=self.context.system.name, status=answer.status)
        return credentials_refused(answer.status)


def _inner(data: Any) -> Any:
    """The id where it stands in ``data``."""
    return data.get("DocId") or data.get("docId") if isinstance(data, dict) else None
