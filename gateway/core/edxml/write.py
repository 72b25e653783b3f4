"""A document or a status report written as edXML, to the letter of what the axis' own software emits.

Element order, prefixes and date forms are exact, because readers in the field match them as text: the root and
AttachmentEncoded without prefix, everything between with ``edXML:``. The same value always gives the same bytes.
"""

from __future__ import annotations

from typing import Final

from gateway.core.content import Content, MemorySink, NewSink, whole
from gateway.core.edxml.attachments import pack
from gateway.core.edxml.dates import write_date, write_moment
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.sheet import DECLARED, Branch, Sheet, escaped
from gateway.core.edxml.values import (
    Attachment,
    Business,
    DocumentMessage,
    Organization,
    ResponseFor,
    Staff,
    StatusMessage,
    Unwritable,
)
from gateway.core.faults import Text

_BUSINESS_TYPES: Final = {"new": "0", "recall": "1", "update": "2", "replace": "3"}
_CHANGES: Final = {"removed": "0", "added": "1", None: None}


_DEFAULT_LIMITS: Final = Limits()


def write(message: DocumentMessage | StatusMessage, limits: Limits = _DEFAULT_LIMITS) -> bytes:
    """``message`` as the bytes of an .edxml file: see ``written``. For what is known to be small."""
    return whole(written(message, limits))


def written(
    message: DocumentMessage | StatusMessage, limits: Limits = _DEFAULT_LIMITS, new_sink: NewSink = MemorySink
) -> Content:
    """``message`` as an .edxml file in a sink of ``new_sink``: UTF-8 without BOM, NFC, absent values left out.

    The vendors' signature block is not written: it covers bytes that no longer exist. Reading the result gives
    the same message again, but for warnings, the signature's presence and how attachments are wrapped. Files that
    are attached pass through memory piece by piece.

    Raises Unwritable: ``not-xml-text`` for characters XML cannot hold, ``bad-date``, ``bad-extra``; and what sinks
    and contents raise.
    """
    sheet = Sheet()
    if isinstance(message, StatusMessage):
        _status(sheet, message)
    else:
        _message_header(sheet, message)
        _trace(sheet, message)
        _attachments(sheet, message.attachments, limits, new_sink)
    sheet.give_back(message.extra)
    return sheet.written(new_sink())


def _status(sheet: Sheet, status: StatusMessage) -> None:
    _organization(sheet.under("MessageHeader", "From"), status.sender)
    _response_for(sheet.under("MessageHeader", "ResponseFor"), status.response_for)
    _staff(sheet.under("MessageHeader", "StaffInfo"), status.staff)
    sheet.message.leaf("StatusCode", status.code)
    sheet.message.leaf("Description", status.description)
    sheet.message.leaf("Timestamp", _moment(status.timestamp))


def _message_header(sheet: Sheet, document: DocumentMessage) -> None:
    message = sheet.message
    _organization(sheet.under("MessageHeader", "From"), document.sender)
    for number, recipient in enumerate(document.recipients, start=1):
        _organization(sheet.under("MessageHeader", "To", number=number), recipient)
    message.leaf("DocumentId", document.document_id)
    code = sheet.under("MessageHeader", "Code")
    code.leaf("CodeNumber", document.code.number)
    code.leaf("CodeNotation", document.code.notation)
    promulgation = sheet.under("MessageHeader", "PromulgationInfo")
    promulgation.leaf("Place", document.promulgation.place)
    promulgation.leaf("PromulgationDate", _date(document.promulgation.date))
    kind = sheet.under("MessageHeader", "DocumentType")
    kind.leaf("Type", document.document_type.type)
    kind.leaf("TypeDetail", document.document_type.detail)
    kind.leaf("TypeName", document.document_type.name)
    message.leaf("Subject", document.subject)
    message.leaf("Content", document.content)
    signer = sheet.under("MessageHeader", "SignerInfo")
    signer.leaf("Competence", document.signer.competence)
    signer.leaf("Position", document.signer.position)
    signer.leaf("FullName", document.signer.full_name)
    message.leaf("DueDate", _date(document.due_date))
    _other(sheet, document)
    for number, answered in enumerate(document.response_for, start=1):
        _response_for(sheet.under("MessageHeader", "ResponseFor", number=number), answered)
    message.leaf("SteeringType", document.steering_type)
    _list(sheet.under("MessageHeader", "ResponseForTask"), "TaskCode", document.task_codes)
    message.leaf("ApplicationType", document.application_type)
    _list(sheet.under("MessageHeader", "ToPlaces"), "Place", document.to_places)


def _other(sheet: Sheet, document: DocumentMessage) -> None:
    other = document.other
    branch = sheet.under("MessageHeader", "OtherInfo")
    branch.leaf("Priority", other.priority)
    branch.leaf("SphereOfPromulgation", other.sphere)
    branch.leaf("TyperNotation", other.typist)
    branch.leaf("PromulgationAmount", other.copies)
    branch.leaf("PageAmount", other.pages)
    branch.leaf("ReplyFors", other.reply_fors)
    branch.leaf("ReferenceCodes", other.reference_codes)
    branch.leaf("Direction", other.direction)
    _list(sheet.under("MessageHeader/OtherInfo", "Appendixes"), "Appendix", other.appendixes)


def _trace(sheet: Sheet, document: DocumentMessage) -> None:
    sheet.at("TraceHeaderList", sheet.header.branch("TraceHeaderList"))
    _business(sheet, document.business)
    for number, stop in enumerate(document.trace, start=1):
        branch = sheet.under("TraceHeaderList", "TraceHeader", number=number)
        branch.leaf("OrganId", stop.organ_id)
        branch.leaf("Timestamp", _moment(stop.timestamp))


def _business(sheet: Sheet, business: Business) -> None:
    place = "TraceHeaderList/Bussiness"
    branch = sheet.under("TraceHeaderList", "Bussiness", stands=True)
    branch.leaf("DocumentId", business.document_id)
    branch.leaf("BussinessDocType", _BUSINESS_TYPES[business.type])
    branch.leaf("BussinessDocReason", business.reason)
    branch.leaf("Paper", _digit(business.paper))
    changes = sheet.under(place, "BussinessDocumentInfo")
    changes.leaf("DocumentInfo", _digit(business.content_changed))
    changes.leaf("DocumentReceiver", _digit(business.receivers_changed))
    sheet.under(f"{place}/BussinessDocumentInfo", "ReceiverList")
    for number, receiver in enumerate(business.receivers, start=1):
        one = sheet.under(f"{place}/BussinessDocumentInfo/ReceiverList", "Receiver", number=number)
        one.leaf("OrganId", receiver.organ_id)
        one.leaf("ReceiverType", _CHANGES[receiver.change])
    sheet.under(place, "ReplacementInfoList")
    for number, replaced in enumerate(business.replaces, start=1):
        one = sheet.under(f"{place}/ReplacementInfoList", "ReplacementInfo", number=number)
        one.leaf("DocumentId", replaced.document_id)
        _list(
            sheet.at(f"{place}/ReplacementInfoList/ReplacementInfo[{number}]/OrganIdList", one.branch("OrganIdList")),
            "OrganId",
            replaced.organ_ids,
        )
    _staff(sheet.under(place, "StaffInfo"), business.staff)


def _attachments(sheet: Sheet, attachments: tuple[Attachment, ...], limits: Limits, new_sink: NewSink) -> None:
    body = sheet.envelope.branch("edXMLBody", stands=True)
    manifest = sheet.at("edXMLManifest", body.branch("edXMLManifest", ' version="1.0"', stands=True))
    contents = sheet.at("AttachmentEncoded", sheet.root.add(Branch("AttachmentEncoded")))
    for number, attachment in enumerate(attachments, start=1):
        packed = pack(attachment, limits.unpacked, new_sink)
        content_id = f"cid:{attachment.content_id}"
        listed = sheet.at(f"edXMLManifest/Reference[{number}]", manifest.branch("Reference"))
        listed.leaf("ContentId", content_id)
        listed.leaf("ContentType", packed.type)
        listed.leaf("Description", attachment.description)
        listed.leaf("AttachmentName", attachment.name)
        branch = sheet.at(f"AttachmentEncoded/Attachment[{number}]", contents.add(Branch("Attachment")))
        for name, value in (
            ("ContentId", content_id),
            ("AttachmentName", attachment.name),
            ("Description", attachment.description),
            ("ContentType", packed.type),
        ):
            if text := escaped(value):
                branch.raw(f"<{name}>{text}</{name}>")
        branch.encoded("ContentTransferEncoded", DECLARED, packed.content)


def _organization(branch: Branch, organization: Organization) -> None:
    branch.leaf("OrganId", organization.organ_id)
    branch.leaf("OrganizationInCharge", organization.in_charge)
    branch.leaf("OrganName", organization.name)
    branch.leaf("OrganAdd", organization.address)
    branch.leaf("Email", organization.email)
    branch.leaf("Telephone", organization.telephone)
    branch.leaf("Fax", organization.fax)
    branch.leaf("Website", organization.website)


def _response_for(branch: Branch, answered: ResponseFor) -> None:
    branch.leaf("OrganId", answered.organ_id)
    branch.leaf("Code", answered.code)
    branch.leaf("DocumentId", answered.document_id)
    branch.leaf("PromulgationDate", _date(answered.promulgation_date))


def _staff(branch: Branch, staff: Staff) -> None:
    branch.leaf("Department", staff.department)
    branch.leaf("Staff", staff.name)
    branch.leaf("Email", staff.email)
    branch.leaf("Mobile", staff.mobile)
    branch.leaf("DepartmentId", staff.department_id)
    branch.leaf("StaffId", staff.staff_id)


def _list(branch: Branch, name: str, values: tuple[str, ...]) -> None:
    for value in values:
        branch.leaf(name, value)


def _digit(flag: bool | None) -> str | None:  # noqa: FBT001 - a flag is a value here
    return None if flag is None else str(int(flag))


def _date(iso: str | None) -> str | None:
    return None if iso is None else _checked(write_date(iso), iso)


def _moment(iso: str | None) -> str | None:
    return None if iso is None else _checked(write_moment(iso), iso)


def _checked(written: str | None, iso: str) -> str:
    if written is None:
        raise Unwritable(
            "bad-date",
            Text(
                f"“{iso[:40]}” không phải là ngày giờ ISO 8601 có thật. Đơn vị gửi cần sửa rồi gửi lại.",
                f"“{iso[:40]}” is no date or time of ISO 8601 that exists. The sender must mend it and send again.",
            ),
        )
    return written
