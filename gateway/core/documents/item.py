"""One edXML message that was fetched or dropped as an item for the bus, or the reason why it can never be one. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.content import Content, MemorySink, NewSink
from gateway.core.contract import dataschema_of
from gateway.core.documents.inward import (
    DOCUMENT,
    DOCUMENT_VERSION,
    RAW_TYPE,
    STATUS_REPORT,
    STATUS_VERSION,
    answered_id,
    document_id_of,
    file_object,
    recipients,
    to_document,
    to_status,
    warnings_of,
)
from gateway.core.edxml.codelist import envelope_priority
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.unwrapping import CREDENTIALS
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable
from gateway.core.faults import Text
from gateway.core.handover import Collected, CollectedFile, Uncollectable
from gateway.core.moments import format_moment

_LONGEST_SUBJECT: Final = 256
#: The record travels in an envelope of 1 MiB, in base64; files travel apart.
_LARGEST_RECORD: Final = 700 * 1024

UNDECLARED: Final = Text(
    "Cơ quan chưa có tuyên bố thường trực rằng văn bản gửi qua kênh này đều không mật, mà edXML không có chỗ ghi"
    ' độ mật. Cơ quan gửi văn bản tuyên bố cho đơn vị vận hành trục để ghi confidentiality = "none" vào cấu hình.',
    "The agency has not declared that what it sends by this channel is never secret, and edXML has no place to say so."
    ' The agency must send that declaration to the operator of the bus, who sets confidentiality = "none".',
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose channel it is, whether its standing declaration is there, and how much a message may hold."""

    system: str
    is_declared: bool
    limits: Limits


def collected(
    raw: Content,
    *,
    name: str,
    token: str,
    sender: Sender,
    now: float,
    to: Sequence[str] | None = None,
    identity: str | None = None,
    new_sink: NewSink = MemorySink,
) -> Collected | Uncollectable:
    """The message in ``raw``, called ``name`` where it came from; ``now`` is seconds since 1970.

    ``to``: whom the item is for, where the place it was fetched from says so (an axis lists one item a receiver); else
    whoever the message names. ``identity``: what makes the item itself beside its bytes, where the same bytes may be
    two items (the axis' own id and the receiver). The id follows from system, bytes and identity alone: the same are
    the same message, whatever the file's name.
    """
    try:
        message = read(raw, sender.limits, new_sink)
        addressed = recipients(message) if to is None else tuple(dict.fromkeys(to))
        if isinstance(message, DocumentMessage) and not sender.is_declared:
            return Uncollectable(token, "confidentiality-not-declared", UNDECLARED)
        # A token that the sender's software left in the file is the sender's alone: nobody else gets those bytes.
        is_private = any(oddity.name == CREDENTIALS for oddity in message.warnings)
        named = None if is_private else file_object(name, RAW_TYPE, raw)
        members = _members(message, named, format_moment(now))
    except Unreadable as refusal:
        return Uncollectable(token, refusal.name, refusal.detail)
    size = len(json.dumps(members["data"], ensure_ascii=False).encode())
    if size > _LARGEST_RECORD:
        return Uncollectable(token, "record-too-large", _too_large(size))
    event = {
        "specversion": "1.0",
        "id": message_id(sender.system, raw.sha256, identity),
        **members,
        "time": format_moment(now),
        "datacontenttype": "application/json",
        "to": " ".join(addressed),
    }
    origin = raw.sha256 if identity is None else hashlib.sha256(f"{raw.sha256}\n{identity}".encode()).hexdigest()
    return Collected(token, event, origin, _files(message, named, raw), warnings_of(message))


def message_id(system: str, sha256: str, identity: str | None = None) -> str:
    """The UUID of the message that a system made by the bytes of this SHA-256 (and, where it has one, identity)."""
    beside = "" if identity is None else f":{identity}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:lgsp:edxml:{system}:{sha256}{beside}"))


def _members(message: DocumentMessage | StatusMessage, raw: Mapping[str, Any] | None, received: str) -> dict[str, Any]:
    """What of the event follows from the kind of message; a conversation is named after its first document.

    A recall or an update has the subject of what it recalls or updates, whatever number it bears itself: the subject
    is the unit of order, and it must not overtake that.
    """
    if isinstance(message, StatusMessage):
        about = answered_id(message)[:_LONGEST_SUBJECT]
        return {
            "type": STATUS_REPORT,
            "dataschema": dataschema_of(STATUS_REPORT, STATUS_VERSION),
            "subject": about,
            "correlationid": about,
            "data": to_status(message, raw, received=received),
        }
    own = document_id_of(message)
    concerned = own if message.business.type == "new" else message.business.document_id or own
    subject = own if message.business.type == "replace" else concerned
    return {
        "type": DOCUMENT,
        "dataschema": dataschema_of(DOCUMENT, DOCUMENT_VERSION),
        "subject": subject[:_LONGEST_SUBJECT],
        "correlationid": concerned[:_LONGEST_SUBJECT],
        "priority": envelope_priority(message.other.priority),
        "data": to_document(message, raw),
    }


def _files(
    message: DocumentMessage | StatusMessage, named: Mapping[str, Any] | None, raw: Content
) -> tuple[CollectedFile, ...]:
    """Every file that the data names, each content once; the file as it came is one of them, where it is named."""
    files = {} if named is None else {raw.sha256: CollectedFile(RAW_TYPE, raw)}
    for attachment in message.attachments if isinstance(message, DocumentMessage) else ():
        files.setdefault(attachment.content.sha256, CollectedFile(attachment.detected_type, attachment.content))
    return tuple(files.values())


def _too_large(size: int) -> Text:
    return Text(
        f"Phần thông tin của văn bản (không kể tệp đính kèm) chiếm {size} byte, quá {_LARGEST_RECORD}."
        " Đơn vị gửi cần chuyển nội dung dài vào tệp đính kèm.",
        f"The document's record, without its attachments, takes {size} bytes, more than {_LARGEST_RECORD}."
        " The sender must move long texts into an attachment.",
    )
