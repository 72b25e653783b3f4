"""One call over SOAP: an operation of the WSDL, its elements in the schema's order, judged by the schema both ways."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from adapters.soap.envelope import Fault, Token, Unframed, body_of, fault, framed
from adapters.soap.schema_tree import Unfit
from adapters.soap.wsdl import Element, Offered, Wsdl
from gateway.calls.account import secret_in
from gateway.calls.described.parts import Answer
from gateway.calls.described.way import Heard, NotHeard
from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.core.operation import Operation, Reading
from gateway.core.operation_steps import Tables
from gateway.core.visit import Call, Reply

#: How one call is told in a description, as JSON Schema.
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["operation"],
    "properties": {
        "operation": {"type": "string", "minLength": 1, "maxLength": 200},
        "path": {"type": "string", "maxLength": 1000, "pattern": "^[A-Za-z0-9._~/-]*$"},
    },
}
#: What a fault means where the description does not say it.
FAULT: Final = "soapFault"
_FAULTS: Final = (
    {"at": f"/{FAULT}/code", "in": ["Client", "Sender", "MustUnderstand", "VersionMismatch"], "means": "never"},
    {"at": f"/{FAULT}/code", "in": ["FailedAuthentication", "FailedCheck", "InvalidSecurity"], "means": "refused"},
    {"at": f"/{FAULT}", "present": True, "means": "again"},
)
_MEDIA: Final = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
_MOST_TOLD: Final = 5


class Judged(ValueError):
    """An element breaks the schema; the text names places and rules, never values."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How one service is spoken to. ``token``: what secures a request, made for each."""

    wsdl: Wsdl
    token: Callable[[], Token | None]
    is_answer_checked: bool
    turn: threading.Lock

    def judge(self, element: Any) -> None:
        """Raises Judged."""
        # The schema keeps one list of errors: who fills it must read it before the next one does.
        with self.turn:
            if not self.wsdl.judge.validate(element):
                told = [f"{each.path} ({each.type_name})" for each in self.wsdl.judge.error_log]
                raise Judged("; ".join(told[:_MOST_TOLD])[:500])

    def element(self, kind: Element, value: Mapping[str, Any]) -> Any:
        """An element of the schema; raises Unfit and Judged."""
        made = self.wsdl.tree.written(kind.tag, kind.node, value)
        self.judge(made)
        return made


@dataclass(frozen=True, slots=True)
class Soap(Operation):
    """An operation whose body and answer are envelopes."""

    speech: Speech | None = None
    offered: Offered | None = None

    @classmethod
    def made(cls, plain: Operation, speech: Speech, offered: Offered) -> Soap:
        """What ``plain`` says, over SOAP."""
        return cls(**{each.name: getattr(plain, each.name) for each in fields(plain)}, speech=speech, offered=offered)

    def body(self, value: Any) -> Any:
        """The envelope; raises PermanentFailure where the schema lets nothing of the kind."""
        assert self.speech is not None  # noqa: S101 - made() gives both
        assert self.offered is not None  # noqa: S101
        try:
            inner = self.speech.element(self.offered.asked, value)
        except (Unfit, Judged) as error:
            raise PermanentFailure(f"the request does not fit the service's schema: {error}") from None
        return framed(self.speech.wsdl.version, inner, self.speech.token())

    def read(self, status: int, body: bytes, record: Mapping[str, Any] | None = None) -> Reading:
        """What an answer says; one that is no envelope of this operation is to be asked for again."""
        try:
            frame = self._frame(status, body)
        except (Unframed, Unfit, Judged):
            return Reading(self.verdicts.verdict(status if status >= 300 else 502, None))
        return Operation.read(self, status, json.dumps(frame).encode(), record)

    def _frame(self, status: int, body: bytes) -> dict[str, Any]:
        assert self.speech is not None  # noqa: S101 - made() gives both
        assert self.offered is not None  # noqa: S101
        answer = self.offered.answer
        if answer is None and 200 <= status < 300:
            return {"accepted": True}
        found = body_of(body)
        if isinstance(found, Fault):
            detail = None if found.detail is None else self.speech.wsdl.tree.value(found.detail, None)
            return {FAULT: {"code": found.code, "text": found.text, "detail": detail}}
        if found is None or answer is None or found.tag != answer.tag:
            raise Unframed("another element")
        if self.speech.is_answer_checked:
            self.speech.judge(found)
        value = self.speech.wsdl.tree.value(found, answer.node)
        return value if isinstance(value, dict) else {"#text": value}


class Enveloped:
    """The way of SOAP."""

    def __init__(
        self, wsdl: Wsdl, security: Mapping[str, Any] | None, read_secret: Callable[[str], bytes], *, is_checked: bool
    ) -> None:
        """``security``: the settings of the UsernameToken. ``is_checked``: whether answers are held to the schema."""

        def token() -> Token | None:
            if security is None:
                return None
            created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            password = secret_in(str(security["password_file"]), read_secret)
            is_digest = security.get("kind", "digest") == "digest"
            return Token(str(security["username"]), password, is_digest, secrets.token_bytes(16), created)

        self._wsdl = wsdl
        self._speech = Speech(wsdl, token, is_checked, threading.Lock())

    def operation(self, raw: Mapping[str, Any], where: str, tables: Tables) -> Operation:
        """The operation of one call's table; raises Misconfigured."""
        offered = self._wsdl.offered(raw["operation"], f"{where}.operation")
        request, reply = dict(raw.get("request", {})), dict(raw.get("reply", {}))
        if "format" in request or "unpack" in reply:
            raise Misconfigured(
                f"{where}.request.format",
                Text("SOAP không dùng format và unpack", "SOAP has no format and no unpack"),
                Text("Bỏ hai mục này; WSDL đã nói đủ.", "Leave them out: the WSDL says it all."),
            )
        version = self._wsdl.version
        kind = f'{_MEDIA[version]}; action="{offered.action}"' if version == "1.2" else _MEDIA[version]
        head = {"Content-Type": kind, **({"SOAPAction": f'"{offered.action}"'} if version == "1.1" else {})}
        reply["errors"] = [*reply.get("errors", ()), *_FAULTS]
        request["fields"] = {**head, **request.get("fields", {})}
        plain = Operation.parse({**raw, "verb": "POST", "request": request, "reply": reply}, where, tables)
        return Soap.made(replace(plain, format="soap"), self._speech, offered)

    def check(self, parts: Sequence[Answer], where: str) -> None:
        """Whether the calls that come in are operations of the WSDL; raises Misconfigured."""
        for part in parts:
            self._wsdl.offered(part.operation, f"{where}: answers ({part.thing.name}).operation")

    def heard(self, parts: Sequence[Answer], call: Call, body: bytes) -> Heard:
        """What a call brought; raises NotHeard."""
        if call.method != "POST":
            raise NotHeard(405, _UNREADABLE)
        try:
            found = body_of(body)
            if found is None or isinstance(found, Fault):
                raise Unframed("no request")
            for part in parts:
                offered = self._wsdl.operations[part.operation]
                if offered.asked.tag == found.tag:
                    self._speech.judge(found)
                    return Heard(part, self._wsdl.tree.value(found, offered.asked.node))
        except (Unframed, Unfit) as error:
            raise NotHeard(400, _UNREADABLE) from error
        except Judged as error:
            raise NotHeard(400, _broken(str(error))) from None
        raise NotHeard(404, _UNREADABLE)

    def replied(self, part: Answer | None, outcome: Mapping[str, Any], status: int | None = None) -> Reply:
        """The answer's element as the rules make it; a fault for what is refused and has no rules."""
        version = self._wsdl.version
        told = None if part is None else part.yes if "received" in outcome else part.no
        answer = None if part is None else self._wsdl.operations[part.operation].answer
        is_busy = status is not None and status >= 500
        if told is not None and not is_busy and (told.rules is not None or "received" in outcome):
            if answer is None:
                return Reply(framed(version, None), 202, _MEDIA[version])
            value = {} if told.rules is None else told.rules.apply(outcome)
            try:
                return Reply(framed(version, self._speech.element(answer, value)), 200, _MEDIA[version])
            except (Unfit, Judged):
                # What was taken is taken; the caller comes again, and finds it known, until the rules are mended.
                return Reply(fault(version, "Lỗi ở bên nhận / receiver", is_ours=True), 500, _MEDIA[version])
        refused = outcome.get("refused", {})
        words = f"{refused.get('vi', '')} / {refused.get('en', '')}"
        if is_busy:
            return Reply(fault(version, words, is_ours=True), 503, _MEDIA[version])
        return Reply(fault(version, words, is_ours=False), 500 if version == "1.1" else 400, _MEDIA[version])


def _broken(places: str) -> Text:
    return Text(
        f"Nội dung trái với lược đồ XSD ở {places}. Bên gửi sửa rồi gửi lại.",
        f"It breaks the XSD at {places}. The sender must mend it and send again.",
    )


_UNREADABLE: Final = Text(
    "Không đọc được phong bì SOAP, hoặc không có thao tác này. Bên gửi xem lại WSDL rồi gửi lại.",
    "This is no SOAP envelope, or no operation of the WSDL. The sender must look at the WSDL and send again.",
)
