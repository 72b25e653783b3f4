"""The blocks that edXML messages are made of, each read into its value: agency, clerk, business, trace and the rest."""

from __future__ import annotations

from typing import Final

from gateway.core.edxml.codelist import PRIORITY
from gateway.core.edxml.fields import Part
from gateway.core.edxml.values import (
    Business,
    BusinessType,
    Change,
    Code,
    Organization,
    OtherInfo,
    Receiver,
    Replaced,
    ResponseFor,
    Staff,
    TraceStop,
)
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

ORGANIZATION: Final = "OrganId OrganizationInCharge OrganName OrganAdd Email Telephone Fax Website".split()
RESPONSE_FOR: Final = "OrganId Code DocumentId PromulgationDate".split()
STAFF: Final = "Department Staff Email Mobile DepartmentId StaffId".split()
OTHER: Final = (
    "Priority SphereOfPromulgation TyperNotation PromulgationAmount PageAmount ReplyFors ReferenceCodes"
    " Direction Appendixes"
).split()
_BUSINESS: Final = (
    "DocumentId BussinessDocType BussinessDocReason Paper BussinessDocumentInfo ReplacementInfoList StaffInfo"
).split()
_BUSINESS_TYPES: Final[dict[int, BusinessType]] = {0: "new", 1: "recall", 2: "update", 3: "replace"}
_CHANGES: Final[dict[str, Change]] = {"0": "removed", "1": "added"}


def read_organization(part: Part) -> Organization:
    """The agency in ``part``; Unreadable ``missing-element`` where it has no code."""
    organ_id = part.text("OrganId")
    if organ_id is None:
        # Nobody may be dropped from a list of recipients without a word.
        raise refusal("missing-element", element=f"{part.place.rpartition('/')[2]}/OrganId")
    return Organization(
        organ_id=organ_id,
        name=part.text("OrganName"),
        in_charge=part.text("OrganizationInCharge"),
        address=part.text("OrganAdd"),
        email=part.text("Email"),
        telephone=part.text("Telephone"),
        fax=part.text("Fax"),
        website=part.text("Website"),
    )


def read_code(message: Part, document_id: str | None) -> Code:
    """Number and notation; Unreadable ``missing-element`` where neither they nor ``document_id`` name the document."""
    part = message.part("Code", ("CodeNumber", "CodeNotation"))
    code = Code(part.text("CodeNumber"), part.text("CodeNotation"))
    if document_id is None and code.joined is None:
        raise refusal("missing-element", element="DocumentId")
    return code


def read_response_for(part: Part) -> ResponseFor:
    """The document answered, every member optional."""
    return ResponseFor(
        organ_id=part.text("OrganId"),
        code=part.text("Code"),
        document_id=part.text("DocumentId"),
        promulgation_date=part.date("PromulgationDate"),
    )


def read_staff(part: Part) -> Staff:
    """The clerk in charge; all members None where the block is absent."""
    return Staff(*(part.text(name) for name in STAFF))


def read_other(part: Part) -> OtherInfo:
    """The lesser facts; a priority outside 0 to 4 is left out with a warning."""
    priority = part.number("Priority")
    if priority is not None and priority not in PRIORITY:
        part.warn("unknown-priority", "Priority", value=priority)
        priority = None
    return OtherInfo(
        priority=priority,
        sphere=part.text("SphereOfPromulgation"),
        typist=part.text("TyperNotation"),
        copies=part.number("PromulgationAmount"),
        pages=part.number("PageAmount"),
        direction=part.flag("Direction"),
        appendixes=part.part("Appendixes", (), ("Appendix",)).texts("Appendix"),
        reply_fors=part.text("ReplyFors"),
        reference_codes=part.text("ReferenceCodes"),
    )


def read_business(trace: Part) -> Business:
    """What the message does, from TraceHeaderList; ``new`` where the block is absent.

    Raises Unreadable: ``unknown-format`` for a business type outside 0 to 3, ``missing-element``.
    """
    part = trace.part("Bussiness", _BUSINESS)
    written = part.text("BussinessDocType") or "0"
    kind = _BUSINESS_TYPES.get(int(written)) if written in {"0", "1", "2", "3", "00", "01", "02", "03"} else None
    if kind is None:
        # To take a recall for a new document would be worse than to take neither.
        reason = Text(f"loại nghiệp vụ {written[:20]} không có", f"there is no business type {written[:20]}")
        raise refusal("unknown-format", reason=reason)
    changes = part.part("BussinessDocumentInfo", ("DocumentInfo", "DocumentReceiver", "ReceiverList"))
    receivers = changes.part("ReceiverList", (), ("Receiver",)).parts("Receiver", ("OrganId", "ReceiverType"))
    replaced = part.part("ReplacementInfoList", (), ("ReplacementInfo",))
    # Either place is seen in the field; the nearer one counts.
    paper, paper_above = part.flag("Paper"), trace.flag("Paper")
    if None not in {paper, paper_above} and paper != paper_above:
        trace.warn("repeated-element", "Paper", element="Paper")
    return Business(
        type=kind,
        document_id=part.text("DocumentId"),
        reason=part.text("BussinessDocReason"),
        paper=paper_above if paper is None else paper,
        content_changed=changes.flag("DocumentInfo"),
        receivers_changed=changes.flag("DocumentReceiver"),
        receivers=tuple(_receiver(receiver) for receiver in receivers),
        replaces=tuple(
            Replaced(info.text("DocumentId"), info.part("OrganIdList", (), ("OrganId",)).texts("OrganId"))
            for info in replaced.parts("ReplacementInfo", ("DocumentId", "OrganIdList"))
        ),
        staff=read_staff(part.part("StaffInfo", STAFF)),
    )


def _receiver(part: Part) -> Receiver:
    organ_id = part.text("OrganId")
    if organ_id is None:
        raise refusal("missing-element", element="ReceiverList/Receiver/OrganId")
    written = part.text("ReceiverType")
    change = _CHANGES.get(written or "")
    if change is None:
        part.warn("odd-change", "ReceiverType", value=written or "")
    return Receiver(organ_id, change)


def read_trace_stop(part: Part) -> TraceStop:
    """One station; a code that is the word “null” counts as absent, with a warning."""
    organ_id = part.text("OrganId")
    if organ_id is not None and organ_id.casefold() == "null":
        part.warn("null-text", "OrganId")
        organ_id = None
    return TraceStop(organ_id, part.moment("Timestamp"))
