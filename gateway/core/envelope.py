"""The envelope: one CloudEvents 1.0 event in structured JSON, signed as one compact JWS.

Opening happens in the order in which the bus answers: size and shape first (before any signature is looked
at), then, once the signer is known, the attributes. The signed bytes are never re-serialised.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from gateway.core import jws
from gateway.core.faults import Rejected, Text
from gateway.core.moments import parse_moment
from gateway.core.strictjson import StrictJsonError, parse_strict

TYP: Final = "ce+jws"
MAX_ENVELOPE: Final = 1024 * 1024
MAX_RECIPIENTS: Final = 5000
#: ``time`` may be this far ahead of the bus's clock, and this far behind (seconds).
AHEAD: Final = 5 * 60.0
BEHIND: Final = 30 * 86400.0
#: From lowest to highest; a delivery's ``priority`` is the position here.
PRIORITIES: Final = ("normal", "urgent", "very-urgent", "express")
#: Attributes that the gateway alone may set.
GATEWAY_ONLY: Final = frozenset(
    {"sealedby", "originsource", "originid", "origindigest", "rulesdigest", "queryid", "querydigest"}
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_DATASCHEMA: Final = re.compile(r"urn:lgsp:contract:([^:\s]+):([0-9]{1,4}\.[0-9]{1,4})\Z", re.ASCII)
_ATTRIBUTE: Final = re.compile(r"[a-z0-9]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUIRED: Final = ("specversion", "id", "source", "type", "dataschema", "subject", "time", "datacontenttype", "data")
_NEEDED: Final = frozenset(_REQUIRED)
_STRINGS: Final = ("purpose", "correlationid", "causationid", "traceparent", "tracestate", "bus")
_MOMENTS: Final = ("notbefore", "expirytime")
#: Names that need no look at their letters: with a plain string as value, nothing is left to check.
_USUAL: Final = frozenset((*_REQUIRED, *_STRINGS, *_MOMENTS, "to", "priority"))
_MAX_TEXT: Final = 1024


def malformed(vi: str, en: str) -> Rejected:
    """The fault for an envelope that is not what the interface says; the sender must mend it."""
    return Rejected("malformed-envelope", Text(vi, en))


class Opened(NamedTuple):
    """An envelope whose shape is right; nothing about its signer or attributes is known to be true yet."""

    raw: bytes
    signature: jws.Compact
    event: Mapping[str, Any]

    @property
    def claimed_source(self) -> str | None:
        """What ``source`` says, where it says anything that can be compared."""
        source = self.event.get("source")
        return source if isinstance(source, str) else None


class Event(NamedTuple):
    """The checked attributes of one event. ``key`` is the id in lower case, the form in which ids compare."""

    id: str
    key: str
    source: str
    type: str
    version: str
    subject: str
    time: float
    time_text: str
    to: tuple[str, ...] | None
    purpose: str | None
    priority: int
    notbefore: float | None
    expirytime: float | None
    correlationid: str | None
    causationid: str | None
    traceparent: str | None
    data: Any
    members: Mapping[str, Any]


def without_line_end(body: bytes) -> bytes:
    """``body`` less one trailing CR LF or LF, which is not part of an envelope."""
    if body.endswith(b"\r\n"):
        return body[:-2]
    return body[:-1] if body.endswith(b"\n") else body


def check_size(raw: bytes, *, limit: int = MAX_ENVELOPE) -> None:
    """Raises Rejected ``too-large`` where an envelope has more than ``limit`` bytes."""
    if len(raw) > limit:
        raise Rejected(
            "too-large",
            Text(
                f"Phong bì lớn hơn {limit} byte. Bên gửi hãy tải tệp lên riêng và chỉ nêu tên tệp trong dữ liệu.",
                f"The envelope is over {limit} bytes. The sender must upload files apart and only name them.",
            ),
        )


def open_envelope(raw: bytes, *, limit: int = MAX_ENVELOPE) -> Opened:
    """Size, then shape of header and payload; raises Rejected ``too-large`` or ``malformed-envelope``."""
    check_size(raw, limit=limit)
    try:
        signature = jws.split(raw)
    except jws.NotAJws as error:
        raise malformed(
            f"Phong bì không phải JWS dạng gọn đúng RFC 7515 ({error}). Bên gửi phải ký lại.",
            f"Not a compact JWS as RFC 7515 and the interface say: {error}. The sender must sign again.",
        ) from None
    if signature.header.typ != TYP:
        raise malformed(
            "Trường typ của phần đầu phải là ce+jws. Bên gửi phải sửa phần đầu.",
            "The header's typ must be exactly ce+jws. The sender must mend the header.",
        )
    if signature.header.thumbprint is None:
        raise malformed(
            "Phần đầu phải nêu người ký bằng x5t#S256 hoặc x5c. Bên gửi phải bổ sung.",
            "The header must name the signer by x5t#S256 or x5c. The sender must add it.",
        )
    return Opened(raw, signature, parse_event(signature.payload))


def parse_event(payload: bytes) -> Mapping[str, Any]:
    """The payload as one strict JSON object; raises Rejected ``malformed-envelope``."""
    try:
        event = parse_strict(payload)
    except StrictJsonError as error:
        raise malformed(
            f"Nội dung không phải JSON chặt chẽ ({error}). Bên gửi phải sửa phần mềm tạo thông điệp.",
            f"The payload is not strict JSON: {error}. The sender must mend the software that writes it.",
        ) from None
    if not isinstance(event, dict):
        raise malformed(
            "Nội dung phải là một đối tượng JSON (một sự kiện CloudEvents).",
            "The payload must be one JSON object (one CloudEvents event).",
        )
    return event


def check_attributes(members: Mapping[str, Any], *, gateway: str, gateway_names: frozenset[str]) -> Event:
    """All attribute rules of the interface; raises Rejected ``malformed-envelope``.

    ``gateway`` is the name of this gateway's system, ``gateway_names`` every way of writing it (aliases). An
    attribute whose value is null counts as unset (CloudEvents 1.0, JSON format).
    """
    event = members
    if None in members.values():
        event = {name: value for name, value in members.items() if value is not None or name == "data"}
    if not event.keys() >= _NEEDED:
        name = next(name for name in _REQUIRED if name not in event)
        raise malformed(f"Thiếu thuộc tính {name}.", f"The attribute {name} is missing.")
    for name, value in event.items():
        is_usual = name in _USUAL and type(value) is str and value.isprintable()
        if not is_usual and name != "data":
            _check_member(name, value)
    if event["specversion"] != "1.0":
        raise malformed('specversion phải là "1.0".', 'specversion must be "1.0".')
    if event["datacontenttype"] != "application/json":
        raise malformed('datacontenttype phải là "application/json".', 'datacontenttype must be "application/json".')
    identity, source = _text(event, "id"), _text(event, "source")
    kind, subject = _text(event, "type"), _text(event, "subject")
    if not _UUID.match(identity):
        raise malformed("id phải là một UUID.", "id must be a UUID.")
    if len(subject) > 256:
        raise malformed("subject dài quá 256 ký tự.", "subject is over 256 characters.")
    version = _version(kind, _text(event, "dataschema"))
    time = parse_moment(_text(event, "time"))
    if time is None:
        raise malformed(
            "time phải theo RFC 3339 và có múi giờ, ví dụ 2026-11-22T08:00:00+07:00.",
            "time must be RFC 3339 with an offset, e.g. 2026-11-22T08:00:00+07:00.",
        )
    _check_texts(event)
    if "bus" in event and event["bus"] not in gateway_names:
        raise malformed(
            f"Thông điệp dành cho trục khác (bus khác {gateway}). Bên gửi phải gửi đúng trục.",
            f"The message is meant for another bus than {gateway}. The sender must send it there.",
        )
    notbefore, expirytime = _moment(event, "notbefore"), _moment(event, "expirytime")
    to = _recipients(_text(event, "to")) if "to" in event else None
    return Event(
        id=identity,
        key=identity.lower(),
        source=source,
        type=kind,
        version=version,
        subject=subject,
        time=time,
        time_text=event["time"],
        to=to,
        purpose=event.get("purpose"),
        priority=_priority(event),
        notbefore=notbefore,
        expirytime=expirytime,
        correlationid=event.get("correlationid"),
        causationid=event.get("causationid"),
        traceparent=event.get("traceparent"),
        data=event["data"],
        members=event,
    )


def refuse_gateway_attributes(event: Mapping[str, Any]) -> None:
    """Raises Rejected ``malformed-envelope`` where a sender sets what the gateway alone may set."""
    if GATEWAY_ONLY.isdisjoint(event):
        return
    for name in sorted(name for name in GATEWAY_ONLY if event.get(name) is not None):
        raise malformed(
            f"Thuộc tính {name} chỉ trục liên thông được ghi. Bên gửi phải bỏ thuộc tính này.",
            f"Only the gateway may set the attribute {name}. The sender must leave it out.",
        )


def check_window(event: Event, now: float) -> None:
    """Raises Rejected ``stale`` where ``time`` is over 5 minutes ahead or over 30 days behind ``now``."""
    if not now - BEHIND <= event.time <= now + AHEAD:
        raise Rejected(
            "stale",
            Text(
                "Thời điểm time sớm hơn 5 phút hoặc cũ hơn 30 ngày so với đồng hồ của trục."
                " Bên gửi hãy chỉnh đồng hồ máy rồi gửi lại.",
                "time is over 5 minutes ahead of, or over 30 days behind, the clock of the bus."
                " The sender must set its clock and send again.",
            ),
        )


def payload_digest(payload: bytes) -> str:
    """Lower-case hex SHA-256 of payload bytes: what makes a repeat the same message."""
    return hashlib.sha256(payload).hexdigest()


def digest_of(body: bytes) -> str:
    """``sha-256:HEX`` of an envelope's bytes, the form in which receipts and evidence name it."""
    return "sha-256:" + hashlib.sha256(body).hexdigest()


def seal(event: Mapping[str, Any], signer: jws.Signer) -> bytes:
    """Sign ``event`` as one envelope."""
    return signer.sign(TYP, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())


def _check_member(name: str, value: object) -> None:
    if not _ATTRIBUTE.match(name):
        raise malformed(
            "Tên thuộc tính chỉ gồm chữ thường và chữ số (CloudEvents 1.0).",
            "Attribute names hold lower-case letters and digits only (CloudEvents 1.0).",
        )
    if not isinstance(value, str | bool | int):
        raise malformed(
            f"Thuộc tính {name} phải là chuỗi, số nguyên hoặc đúng/sai.",
            f"The attribute {name} must be a string, an integer or a boolean.",
        )
    if isinstance(value, str) and _CONTROL.search(value):
        raise malformed(
            f"Thuộc tính {name} không được có ký tự điều khiển như xuống dòng, tab (CloudEvents 1.0).",
            f"The attribute {name} must hold no control character such as a line end or a tab (CloudEvents 1.0).",
        )


def _text(event: Mapping[str, Any], name: str) -> str:
    value: object = event[name]
    if not isinstance(value, str) or not value or (len(value) > _MAX_TEXT and name != "to"):
        raise malformed(
            f"Thuộc tính {name} phải là chuỗi không rỗng, không quá {_MAX_TEXT} ký tự.",
            f"The attribute {name} must be a non-empty string of at most {_MAX_TEXT} characters.",
        )
    return value


def _check_texts(event: Mapping[str, Any]) -> None:
    for name in _STRINGS:
        if name in event:
            _text(event, name)


def _moment(event: Mapping[str, Any], name: str) -> float | None:
    if name not in event:
        return None
    moment = parse_moment(_text(event, name))
    if moment is None:
        raise malformed(f"{name} phải theo RFC 3339 và có múi giờ.", f"{name} must be RFC 3339 with an offset.")
    return moment


@lru_cache(maxsize=256)
def _version(kind: str, dataschema: str) -> str:
    """The MAJOR.MINOR of ``dataschema``; whether such a contract exists is asked later, by its own name."""
    named = _DATASCHEMA.match(dataschema)
    if named is None or named[1] != kind:
        raise malformed(
            "dataschema phải là urn:lgsp:contract:TÊN:CHÍNH.PHỤ với TÊN trùng type.",
            "dataschema must be urn:lgsp:contract:NAME:MAJOR.MINOR with NAME equal to type.",
        )
    return named[2]


def _recipients(to: str) -> tuple[str, ...]:
    names = to.split(" ")
    if "" in names or len(names) > MAX_RECIPIENTS:
        raise malformed(
            f"to gồm các tên nơi nhận cách nhau đúng một dấu cách, tối đa {MAX_RECIPIENTS} tên.",
            f"to holds names separated by exactly one space, at most {MAX_RECIPIENTS}.",
        )
    return tuple(dict.fromkeys(names))


def _priority(event: Mapping[str, Any]) -> int:
    value = event.get("priority", "normal")
    if value not in PRIORITIES:
        raise malformed(
            "priority phải là normal, urgent, very-urgent hoặc express.",
            "priority must be normal, urgent, very-urgent or express.",
        )
    return PRIORITIES.index(value)
