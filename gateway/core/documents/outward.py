"""The data of contracts as edXML values: what a message out says in the tongue of the document axis.

Pure. Contents of files come from a function by their SHA-256, so that nothing is read that is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.core.content import Content
from gateway.core.edxml.codelist import type_detail
from gateway.core.edxml.values import (
    Attachment,
    Business,
    BusinessType,
    Code,
    DocumentMessage,
    DocumentType,
    Extra,
    Organization,
    OtherInfo,
    Promulgation,
    Receiver,
    Replaced,
    ResponseFor,
    Signer,
    Staff,
    StatusMessage,
    TraceStop,
)

Data = Mapping[str, Any]
#: A file by its SHA-256 in lower-case hex.
ContentOf = Callable[[str], Content]

_BUSINESS_TYPES: Final[dict[int, BusinessType]] = {0: "new", 1: "recall", 2: "update", 3: "replace"}
_NOTHING: Final[Data] = {}


def from_document_2_0(data: Data, content_of: ContentOf, *, addressee: str) -> DocumentMessage:
    """The document in data of document.issued 2.0; ``addressee`` is its recipient where the data names none."""
    code = _part(data, "code")
    promulgation = _part(data, "promulgation")
    kind = _part(data, "documentType")
    signer = _part(data, "signer")
    return DocumentMessage(
        sender=_organization(data["from"]),
        recipients=tuple(_organization(one) for one in data.get("to", ())) or (Organization(addressee),),
        subject=data["subject"],
        document_id=data["documentId"],
        code=Code(_text(code, "number"), _text(code, "notation")),
        promulgation=Promulgation(_text(promulgation, "place"), _text(promulgation, "date")),
        document_type=DocumentType(_text(kind, "name"), _number(kind, "type"), _number(kind, "detail")),
        content=_text(data, "content"),
        signer=Signer(_text(signer, "competence"), _text(signer, "position"), _text(signer, "fullName")),
        due_date=_text(data, "dueDate"),
        other=_other(_part(data, "other")),
        response_for=tuple(_answered(one) for one in data.get("responseFor", ())),
        steering_type=_number(data, "steeringType"),
        task_codes=_texts(data, "responseForTask"),
        application_type=_text(data, "applicationType"),
        to_places=_texts(data, "toPlaces"),
        business=_business(data["business"]),
        trace=tuple(TraceStop(_text(stop, "organId"), _text(stop, "timestamp")) for stop in data.get("trace", ())),
        attachments=tuple(
            _attachment(one, number, content_of) for number, one in enumerate(data.get("attachments", ()), start=1)
        ),
        extra=_extra(data),
    )


def from_document_1_0(data: Data, content_of: ContentOf, *, addressee: str) -> DocumentMessage:
    """The document in data of document.issued 1.0, the flat record; ``addressee`` as above."""
    number, _, notation = (_text(data, "symbol") or "").partition("/")
    name = _text(data, "kind")
    detail = None if name is None else type_detail(name)
    return DocumentMessage(
        sender=Organization(data["issuingOrganId"], _text(data, "issuingOrganName")),
        recipients=tuple(Organization(code) for code in data.get("recipients", ())) or (Organization(addressee),),
        subject=data["subject"],
        document_id=data["documentId"],
        code=Code(number or None, notation or None),
        promulgation=Promulgation(_text(data, "place"), _text(data, "issuedOn")),
        # The numbers follow from the name: list B is group 2 of the code list.
        document_type=DocumentType(name, None if detail is None else 2, detail),
        content=_text(data, "summary"),
        signer=Signer(None, _text(data, "signerPosition"), _text(data, "signerName")),
        due_date=_text(data, "dueOn"),
        other=OtherInfo(priority=_number(data, "priority"), pages=_number(data, "pages")),
        response_for=tuple(ResponseFor(_text(one, "organId"), _text(one, "symbol")) for one in data.get("answers", ())),
        business=Business(
            type=_BUSINESS_TYPES[data.get("businessType", 0)],
            document_id=_text(data, "concerns"),
            reason=_text(data, "reason"),
        ),
        attachments=tuple(
            _attachment({"file": one}, number, content_of) for number, one in enumerate(data.get("files", ()), start=1)
        ),
    )


def from_status(data: Data) -> StatusMessage:
    """The report in data of document.status 1.0 or 2.0; of the latter the present status: edXML has one a message."""
    told: Data = data.get("status", data)
    return StatusMessage(
        sender=_organization(data["from"]),
        response_for=_answered(data["responseFor"]),
        code=code_of(data),
        staff=_staff(_part(told, "staff")),
        description=_text(told, "description"),
        timestamp=_text(told, "timestamp"),
        extra=_extra(data),
    )


def code_of(data: Data) -> str:
    """The code that a report tells, by data of document.status 1.0 or 2.0."""
    code: str = data["status"]["code"] if "status" in data else data["statusCode"]
    return code


def _part(data: Data, name: str) -> Data:
    part: Data = data.get(name, _NOTHING)
    return part


def _text(data: Data, name: str) -> str | None:
    """A text that says something; empty is absent."""
    return data.get(name) or None


def _number(data: Data, name: str) -> int | None:
    """A whole number; JSON may write it as 3.0."""
    value = data.get(name)
    return None if value is None else int(value)


def _texts(data: Data, name: str) -> tuple[str, ...]:
    return tuple(text for text in data.get(name, ()) if text)


def _organization(data: Data) -> Organization:
    return Organization(
        organ_id=data["organId"],
        name=_text(data, "organName"),
        in_charge=_text(data, "inCharge"),
        address=_text(data, "address"),
        email=_text(data, "email"),
        telephone=_text(data, "phone"),
        fax=_text(data, "fax"),
        website=_text(data, "website"),
    )


def _other(data: Data) -> OtherInfo:
    return OtherInfo(
        priority=_number(data, "priority"),
        sphere=_text(data, "sphere"),
        typist=_text(data, "typist"),
        copies=_number(data, "copies"),
        pages=_number(data, "pages"),
        direction=data.get("direction"),
        appendixes=_texts(data, "appendixes"),
        reply_fors=_text(data, "replyFors"),
        reference_codes=_text(data, "referenceCodes"),
    )


def _answered(data: Data) -> ResponseFor:
    return ResponseFor(
        _text(data, "organId"), _text(data, "code"), _text(data, "documentId"), _text(data, "promulgationDate")
    )


def _business(data: Data) -> Business:
    return Business(
        type=data["type"],
        document_id=_text(data, "documentId"),
        reason=_text(data, "reason"),
        paper=data.get("paper"),
        content_changed=data.get("contentChanged"),
        receivers_changed=data.get("receiversChanged"),
        # edXML has no way to speak of a receiver without a code.
        receivers=tuple(
            Receiver(one["organId"], one.get("change")) for one in data.get("receivers", ()) if one.get("organId")
        ),
        replaces=tuple(Replaced(_text(one, "documentId"), _texts(one, "organIds")) for one in data.get("replaces", ())),
        staff=_staff(_part(data, "staff")),
    )


def _staff(data: Data) -> Staff:
    names = ("department", "name", "email", "mobile", "departmentId", "staffId")
    return Staff(*(_text(data, name) for name in names))


def _attachment(data: Data, number: int, content_of: ContentOf) -> Attachment:
    file = data["file"]
    return Attachment(
        content_id=_text(data, "contentId") or str(number),
        name=file["name"],
        content=content_of(file["sha256"]),
        description=_text(data, "description"),
        declared_type=_text(data, "declaredType"),
        detected_type=file["mediaType"],
        wrapped=data.get("wrapped", "none"),
        broken=data.get("broken", False),
    )


def _extra(data: Data) -> tuple[Extra, ...]:
    return tuple(Extra(one["place"], one["xml"]) for one in data.get("extra", ()))
