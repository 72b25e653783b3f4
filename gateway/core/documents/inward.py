"""edXML values as the data of contracts: a document becomes document.issued 2.0, a report document.status 1.0.

Pure: bytes and values in, values out. The way back stands in ``writing``; what edXML carries survives both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core.content import Content, MemorySink, NewSink
from gateway.core.edxml.codelist import STATUS
from gateway.core.edxml.identifiers import official_id
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    Attachment,
    Business,
    DocumentMessage,
    Extra,
    Oddity,
    Organization,
    ResponseFor,
    Staff,
    StatusMessage,
    Unreadable,
)
from gateway.core.faults import Text

DOCUMENT: Final = "document.issued"
DOCUMENT_VERSION: Final = "2.0"
STATUS_REPORT: Final = "document.status"
STATUS_VERSION: Final = "1.0"
#: What a whole .edxml file is called where a message names it.
RAW_TYPE: Final = "application/xml"
_LONGEST_WARNING: Final = 2000
#: No contract minds the moment in a conversion that is only looked at.
_SOME_MOMENT: Final = "2000-01-01T00:00:00+07:00"


@dataclass(frozen=True, slots=True)
class Converted:
    """What the bus makes of an .edxml file: the contract, the business id and subject line, what was odd.

    ``id`` is the document's own id; of a status report it is the id of the document reported on, and ``subject``
    the name of the status. ``data`` is the record as it would travel.
    """

    contract: str
    id: str
    subject: str
    warnings: tuple[Text, ...]
    data: Mapping[str, Any] = field(repr=False, default_factory=dict)


def convert(raw: bytes | Content, limits: Limits | None = None, new_sink: NewSink = MemorySink) -> Converted:
    """What the file becomes under the agency's standing declaration that it sends nothing secret.

    Raises Unreadable, and nothing else, for what cannot be relayed.
    """
    message = read(raw, limits or Limits(), new_sink)
    recipients(message)
    if isinstance(message, StatusMessage):
        data = to_status(message, received=_SOME_MOMENT)
        name = STATUS[message.code]
        title = f"{message.code} {name.vi}"
        return Converted(f"{STATUS_REPORT}/{STATUS_VERSION}", answered_id(message), title, warnings_of(message), data)
    data = to_document(message)
    contract = f"{DOCUMENT}/{DOCUMENT_VERSION}"
    return Converted(contract, document_id_of(message), message.subject, warnings_of(message), data)


def to_document(message: DocumentMessage, raw: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The data of document.issued 2.0; ``raw`` names the file as it came. The agency declares that it is not secret."""
    return said(
        {
            "documentId": document_id_of(message),
            "code": said({"number": message.code.number, "notation": message.code.notation}),
            "from": _organisation(message.sender),
            "to": [_organisation(recipient) for recipient in message.recipients],
            "promulgation": said({"place": message.promulgation.place, "date": message.promulgation.date}),
            "documentType": said(
                {
                    "type": message.document_type.type,
                    "detail": message.document_type.detail,
                    "name": message.document_type.name,
                }
            ),
            "subject": message.subject,
            "content": message.content,
            "confidentiality": "none",
            "signer": said(
                {
                    "competence": message.signer.competence,
                    "position": message.signer.position,
                    "fullName": message.signer.full_name,
                }
            ),
            "dueDate": message.due_date,
            "toPlaces": list(message.to_places),
            "other": _other(message),
            "responseFor": [_answered(answered) for answered in message.response_for],
            "responseForTask": list(message.task_codes),
            "steeringType": message.steering_type,
            "applicationType": message.application_type,
            "business": _business(message.business),
            "trace": [said({"organId": stop.organ_id, "timestamp": stop.timestamp}) for stop in message.trace],
            "attachments": [_attachment(attachment) for attachment in message.attachments],
            "raw": raw,
            "extra": _extra(message.extra),
            "warnings": _told(message),
        }
    )


def to_status(message: StatusMessage, raw: Mapping[str, Any] | None = None, *, received: str) -> dict[str, Any]:
    """The data of document.status 1.0; where the report names no moment, ``received`` (RFC 3339) stands for it.

    Raises Unreadable ``unknown-status-code`` for a code that the contract does not know.
    """
    if message.code not in STATUS:
        raise Unreadable(
            "unknown-status-code",
            Text(
                f"Mã trạng thái {message.code} không có trong danh mục. Đơn vị gửi cần ghi một trong các mã:"
                f" {', '.join(STATUS)}.",
                f"The status code {message.code} is not in the list. The sender must write one of {', '.join(STATUS)}.",
            ),
        )
    return said(
        {
            "from": _organisation(message.sender),
            "responseFor": _answered(message.response_for),
            "statusCode": message.code,
            "description": message.description,
            "staff": _staff(message.staff),
            "timestamp": message.timestamp or received,
            "raw": raw,
            "extra": _extra(message.extra),
            "warnings": _told(message),
        }
    )


def document_id_of(message: DocumentMessage) -> str:
    """The document's business id: its own, else one in the official form made of issuer, day and code."""
    return message.document_id or _made_id(message.sender.organ_id, message.promulgation.date, message.code.joined)


def answered_id(message: StatusMessage) -> str:
    """The business id of the document that a report is about, made of its parts where it is not written out."""
    answered = message.response_for
    return answered.document_id or _made_id(answered.organ_id, answered.promulgation_date, answered.code)


def recipients(message: DocumentMessage | StatusMessage) -> tuple[str, ...]:
    """The codes of the agencies the message is for, each once, in order; a report goes to whom it answers.

    Raises Unreadable ``bad-organ-id`` for a code with blanks in it: they would make two names of one.
    """
    if isinstance(message, StatusMessage):
        codes = [message.response_for.organ_id or ""]
    else:
        codes = [recipient.organ_id for recipient in message.recipients]
    for code in codes:
        if not code or any(letter.isspace() for letter in code):
            raise Unreadable(
                "bad-organ-id",
                Text(
                    f"Mã cơ quan nhận “{code[:60]}” trống hoặc có khoảng trắng. Đơn vị gửi cần ghi đúng mã định danh.",
                    f"The recipient's code “{code[:60]}” is empty or holds blanks. The sender must write the code"
                    " as it is registered.",
                ),
            )
    return tuple(dict.fromkeys(codes))


def warnings_of(message: DocumentMessage | StatusMessage) -> tuple[Text, ...]:
    """What was odd, for people; what the mapping itself had to make up is among it."""
    return tuple(oddity.text for oddity in (*message.warnings, *_made_up(message)))


def file_object(name: str, media_type: str, content: Content) -> dict[str, Any]:
    """How a message names a file (digest and size of ``content``)."""
    return {"name": name, "mediaType": media_type, "size": content.size, "sha256": content.sha256}


def said(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something: None and what is empty left out, zero and false kept."""
    return {name: value for name, value in members.items() if value is not None and value not in ({}, [], "")}


def _made_id(organ_id: str | None, date: str | None, code: str | None) -> str:
    official = official_id(organ_id, date, code) if organ_id and date and code else None
    return official or ",".join(part for part in (organ_id, code) if part)


def _made_up(message: DocumentMessage | StatusMessage) -> Sequence[Oddity]:
    if isinstance(message, StatusMessage):
        return ()
    if message.document_id is not None:
        return ()
    text = Text(
        "Văn bản không có DocumentId; mã văn bản được lập từ cơ quan ban hành, ngày và số, ký hiệu.",
        "The document has no DocumentId; one was made of issuer, day, number and notation.",
    )
    return (Oddity("made-document-id", text, "MessageHeader/DocumentId"),)


def _told(message: DocumentMessage | StatusMessage) -> list[str]:
    oddities = (*message.warnings, *_made_up(message))
    return [f"{o.name} ({o.where}): {o.text.vi} — {o.text.en}"[:_LONGEST_WARNING] for o in oddities]


def _organisation(organization: Organization) -> dict[str, Any]:
    return said(
        {
            "organId": organization.organ_id,
            "organName": organization.name,
            "inCharge": organization.in_charge,
            "address": organization.address,
            "email": organization.email,
            "phone": organization.telephone,
            "fax": organization.fax,
            "website": organization.website,
        }
    )


def _other(message: DocumentMessage) -> dict[str, Any]:
    other = message.other
    return said(
        {
            "priority": other.priority,
            "sphere": other.sphere,
            "typist": other.typist,
            "copies": other.copies,
            "pages": other.pages,
            "direction": other.direction,
            "appendixes": list(other.appendixes),
            "replyFors": other.reply_fors,
            "referenceCodes": other.reference_codes,
        }
    )


def _answered(answered: ResponseFor) -> dict[str, Any]:
    return said(
        {
            "organId": answered.organ_id,
            "code": answered.code,
            "documentId": answered.document_id,
            "promulgationDate": answered.promulgation_date,
        }
    )


def _business(business: Business) -> dict[str, Any]:
    return said(
        {
            "type": business.type,
            "documentId": business.document_id,
            "reason": business.reason,
            "paper": business.paper,
            "contentChanged": business.content_changed,
            "receiversChanged": business.receivers_changed,
            "receivers": [said({"organId": one.organ_id, "change": one.change}) for one in business.receivers],
            "replaces": [
                said({"documentId": one.document_id, "organIds": list(one.organ_ids)}) for one in business.replaces
            ],
            "staff": _staff(business.staff),
        }
    )


def _staff(staff: Staff) -> dict[str, Any]:
    return said(
        {
            "departmentId": staff.department_id,
            "department": staff.department,
            "staffId": staff.staff_id,
            "name": staff.name,
            "email": staff.email,
            "mobile": staff.mobile,
        }
    )


def _attachment(attachment: Attachment) -> dict[str, Any]:
    return said(
        {
            "contentId": attachment.content_id,
            "file": file_object(attachment.name, attachment.detected_type, attachment.content),
            "description": attachment.description,
            "declaredType": attachment.declared_type,
            "wrapped": attachment.wrapped,
            "broken": attachment.broken or None,
        }
    )


def _extra(extras: tuple[Extra, ...]) -> list[dict[str, str]]:
    return [{"place": extra.place, "xml": extra.xml} for extra in extras]
