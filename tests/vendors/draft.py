"""A message as nodes under the names of QCVN 102:2016, in the order of the official software, every field there."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.edxml.values import DocumentMessage, Organization, ResponseFor, Staff, StatusMessage
from tests.vendors.paper import Node, group, leaf

#: How a vendor writes a date or a moment given as ISO; None where there is none.
Dating = Callable[[str | None], str | None]

_TYPES = {"new": "0", "recall": "1", "update": "2", "replace": "3"}


def official_date(iso: str | None) -> str | None:
    """``yyyy/MM/dd``."""
    return None if iso is None else iso[:10].replace("-", "/")


def official_moment(iso: str | None) -> str | None:
    """``yyyy/MM/dd HH:mm:ss``."""
    return None if iso is None else iso[:19].replace("-", "/").replace("T", " ")


def day_first(iso: str | None) -> str | None:
    """``dd/MM/yyyy``, with the time behind it where there is one."""
    if iso is None:
        return None
    year, month, day = iso[:10].split("-")
    return f"{day}/{month}/{year}" + (f" {iso[11:19]}" if "T" in iso else "")


def with_a_time(iso: str | None) -> str | None:
    """A date with a time that nobody asked for."""
    return None if iso is None else f"{official_date(iso)} 17:19:16"


def organization(name: str, one: Organization) -> Node:
    """From or To."""
    return group(
        name,
        leaf("OrganId", one.organ_id),
        leaf("OrganizationInCharge", one.in_charge),
        leaf("OrganName", one.name),
        leaf("OrganAdd", one.address),
        leaf("Email", one.email),
        leaf("Telephone", one.telephone),
        leaf("Fax", one.fax),
        leaf("Website", one.website),
    )


def response_for(one: ResponseFor, date: Dating) -> Node:
    """The document answered."""
    return group(
        "ResponseFor",
        leaf("OrganId", one.organ_id),
        leaf("Code", one.code),
        leaf("PromulgationDate", date(one.promulgation_date)),
        leaf("DocumentId", one.document_id),
    )


def staff_info(one: Staff) -> Node:
    """The clerk."""
    return group(
        "StaffInfo",
        leaf("Department", one.department),
        leaf("Staff", one.name),
        leaf("Email", one.email),
        leaf("Mobile", one.mobile),
        leaf("DepartmentId", one.department_id),
        leaf("StaffId", one.staff_id),
    )


def status_header(message: StatusMessage, date: Dating, moment: Dating, *, name: str = "MessageHeader") -> Node:
    """The header of a status report."""
    return group(
        name,
        organization("From", message.sender),
        response_for(message.response_for, date),
        staff_info(message.staff),
        leaf("StatusCode", message.code),
        leaf("Description", message.description),
        leaf("Timestamp", moment(message.timestamp)),
    )


def message_header(message: DocumentMessage, date: Dating) -> Node:
    """The header of a document; one empty ResponseFor where it answers none."""
    other, kind, signer = message.other, message.document_type, message.signer
    return group(
        "MessageHeader",
        organization("From", message.sender),
        *(organization("To", one) for one in message.recipients),
        leaf("DocumentId", message.document_id),
        group("Code", leaf("CodeNumber", message.code.number), leaf("CodeNotation", message.code.notation)),
        group(
            "PromulgationInfo",
            leaf("Place", message.promulgation.place),
            leaf("PromulgationDate", date(message.promulgation.date)),
        ),
        group("DocumentType", leaf("Type", kind.type), leaf("TypeDetail", kind.detail), leaf("TypeName", kind.name)),
        leaf("Subject", message.subject),
        leaf("Content", message.content),
        group(
            "SignerInfo",
            leaf("Competence", signer.competence),
            leaf("Position", signer.position),
            leaf("FullName", signer.full_name),
        ),
        leaf("DueDate", date(message.due_date)),
        group(
            "OtherInfo",
            leaf("Priority", other.priority),
            leaf("SphereOfPromulgation", other.sphere),
            leaf("TyperNotation", other.typist),
            leaf("PromulgationAmount", other.copies),
            leaf("PageAmount", other.pages),
            leaf("ReplyFors", other.reply_fors),
            leaf("ReferenceCodes", other.reference_codes),
            leaf("Direction", other.direction),
            group("Appendixes", *(leaf("Appendix", text) for text in other.appendixes or ("",))),
        ),
        *(response_for(one, date) for one in message.response_for or (ResponseFor(),)),
        leaf("SteeringType", message.steering_type),
        group("ResponseForTask", *(leaf("TaskCode", code) for code in message.task_codes or ("",))),
        leaf("ApplicationType", message.application_type),
        group("ToPlaces", *(leaf("Place", place) for place in message.to_places or ("",))),
    )


def trace_header_list(message: DocumentMessage, moment: Dating) -> Node:
    """Stations first, as the official example has it; then what the message does."""
    business = message.business
    receivers = (
        group(
            "Receiver",
            leaf("OrganId", one.organ_id),
            leaf("ReceiverType", {"removed": "0", "added": "1"}.get(one.change or "")),
        )
        for one in business.receivers
    )
    replaced = (
        group(
            "ReplacementInfo",
            leaf("DocumentId", one.document_id),
            group("OrganIdList", *(leaf("OrganId", code) for code in one.organ_ids or ("",))),
        )
        for one in business.replaces
    )
    return group(
        "TraceHeaderList",
        *(
            group("TraceHeader", leaf("OrganId", stop.organ_id), leaf("Timestamp", moment(stop.timestamp)))
            for stop in message.trace
        ),
        group(
            "Bussiness",
            leaf("DocumentId", business.document_id),
            leaf("BussinessDocType", _TYPES[business.type]),
            leaf("BussinessDocReason", business.reason),
            leaf("Paper", _digit(business.paper)),
            group(
                "BussinessDocumentInfo",
                leaf("DocumentInfo", _digit(business.content_changed)),
                leaf("DocumentReceiver", _digit(business.receivers_changed)),
                group("ReceiverList", *receivers),
            ),
            group("ReplacementInfoList", *replaced),
            staff_info(business.staff),
        ),
    )


def _digit(flag: bool | None) -> str | None:
    return None if flag is None else str(int(flag))
