"""An edXML message read: the bytes of an .edxml file in, a document or a status report out.

Tolerant where the field is sloppy and nothing is lost (order, prefixes, spelling, empty elements, date forms: each
oddity is named), strict where a mistake would reach the wrong agency or lose content. References to *earlier*
documents are keys to look up in someone's register and are passed on as they stand; only what a message says about
its own document is judged.
"""

from __future__ import annotations

from typing import Final

from gateway.core.content import Content, InMemory, MemorySink, NewSink, Scales
from gateway.core.edxml.blocks import (
    ORGANIZATION,
    OTHER,
    RESPONSE_FOR,
    STAFF,
    read_business,
    read_code,
    read_organization,
    read_other,
    read_response_for,
    read_staff,
    read_trace_stop,
)
from gateway.core.edxml.codelist import STATUS
from gateway.core.edxml.enclosures import Contents, read_attachments
from gateway.core.edxml.fields import Findings, Part, blank_elements
from gateway.core.edxml.fonts import legacy_font
from gateway.core.edxml.identifiers import parse_official
from gateway.core.edxml.parse import Limits, parse
from gateway.core.edxml.unwrapping import unwrapped
from gateway.core.edxml.values import DocumentMessage, DocumentType, Oddity, Promulgation, Signer, StatusMessage
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

_STATUS_HEADER: Final = "From ResponseFor StaffInfo StatusCode Description Timestamp".split()
_DOCUMENT_HEADER: Final = (
    "From DocumentId Code PromulgationInfo DocumentType Subject Content SignerInfo DueDate OtherInfo"
    " SteeringType ResponseForTask ApplicationType ToPlaces"
).split()
#: More empty elements than this show a form filled in by rote; fewer are everyday.
_MANY_EMPTY: Final = 5
_LONG_SUBJECT: Final = 500

_DEFAULT_LIMITS: Final = Limits()


def read(
    raw: bytes | Content, limits: Limits = _DEFAULT_LIMITS, new_sink: NewSink = MemorySink
) -> DocumentMessage | StatusMessage:
    """The message in ``raw`` (QCVN 102:2016, generation 2, or generation 1), with warnings for what is odd in it.

    What is attached goes into sinks of ``new_sink``, piece by piece; memory holds the message without it, of
    ``limits.record`` bytes at most.

    Raises Unreadable and nothing else, whatever the bytes: what ``unwrapped`` and ``parse`` refuse, and
    ``unknown-format``, ``missing-element``, ``bad-status-code``; but what a sink raises passes through. Time grows with
    the size of ``raw``, which ``limits`` bounds.
    """
    plain = unwrapped(_content(raw), limits, new_sink)
    return _read(plain.content, plain.limits, new_sink, plain.oddities)


def read_record(raw: bytes | Content, limits: Limits = _DEFAULT_LIMITS) -> DocumentMessage | StatusMessage:
    """The message in ``raw`` without what is attached: its attachments are weighed as they came, and nothing is kept.

    For who asks whether a file says a message as it stands: only generation 2 in UTF-8 does. Raises as ``read`` does,
    and ``generation-1`` or ``wrong-encoding`` for what ``read`` would unwrap first.
    """
    return _read(_content(raw), limits, Scales)


def _content(raw: bytes | Content) -> Content:
    if isinstance(raw, bytes):
        return InMemory(raw)
    if not hasattr(raw, "open"):
        raise refusal("not-edxml")
    return raw


def _read(
    raw: Content, limits: Limits, new_sink: NewSink, oddities: tuple[Oddity, ...] = ()
) -> DocumentMessage | StatusMessage:
    tree = parse(raw, limits, new_sink)
    findings = Findings(limits)
    findings.warnings.extend(oddities)
    if tree.claimed_encoding is not None:
        findings.warn("declared-encoding", "edXML", value=tree.claimed_encoding)
    root = Part(findings, tree.root, "edXML", ("edXMLEnvelope", "AttachmentEncoded"), closed=True)
    envelope = root.part("edXMLEnvelope", ("edXMLHeader", "edXMLBody"), closed=True)
    header = envelope.part("edXMLHeader", ("MessageHeader", "TraceHeaderList", "Signature", "DigitalSignature"))
    if not header.has("MessageHeader"):
        raise refusal("unknown-format", reason=Text("không có MessageHeader", "there is no MessageHeader"))
    if (empty := blank_elements(tree.root)) > _MANY_EMPTY:
        findings.warn("empty-elements", "edXML", value=empty)
    names = header.names_in("MessageHeader")
    if "StatusCode" in names or ("Timestamp" in names and not names & {"To", "Subject"}):
        return _status(findings, header.part("MessageHeader", _STATUS_HEADER))
    return _document(findings, root, envelope, header, Contents(tree.contents, new_sink))


def _status(findings: Findings, message: Part) -> StatusMessage:
    sender = read_organization(message.part("From", ORGANIZATION))
    answered = read_response_for(message.part("ResponseFor", RESPONSE_FOR))
    if answered.organ_id is None:
        raise refusal("missing-element", element="ResponseFor/OrganId")
    if answered.document_id is None and answered.code is None:
        raise refusal("missing-element", element="ResponseFor/DocumentId")
    code = message.text("StatusCode")
    if code is None:
        raise refusal("missing-element", element="StatusCode")
    if not (code.isascii() and code.isdigit() and len(code) <= 2):
        raise refusal("bad-status-code", value=code)
    if len(code) == 1:
        message.warn("status-code-form", "StatusCode", value=code, taken=f"0{code}")
    if code.zfill(2) not in STATUS:
        message.warn("unknown-status-code", "StatusCode", value=code.zfill(2))
    if not message.has("Timestamp"):
        message.warn("absent-element", "Timestamp", element="Timestamp")
    return StatusMessage(
        sender=sender,
        response_for=answered,
        code=code.zfill(2),
        staff=read_staff(message.part("StaffInfo", STAFF)),
        description=message.text("Description"),
        timestamp=message.moment("Timestamp"),
        extra=tuple(findings.extra),
        warnings=tuple(findings.warnings),
    )


def _document(findings: Findings, root: Part, envelope: Part, header: Part, contents: Contents) -> DocumentMessage:
    message = header.part("MessageHeader", _DOCUMENT_HEADER, ("To", "ResponseFor"))
    sender = read_organization(message.part("From", ORGANIZATION))
    recipients = tuple(read_organization(part) for part in message.parts("To", ORGANIZATION))
    if not recipients:
        raise refusal("missing-element", element="To/OrganId")
    subject = message.text("Subject")
    if subject is None:
        raise refusal("missing-element", element="Subject")
    if len(subject) > _LONG_SUBJECT:
        message.warn("long-subject", "Subject", value=len(subject))
    if (font := legacy_font(subject)) is not None:
        message.warn("garbled-text" if font == "mojibake" else "legacy-font", "Subject", value=font)
    document_id = message.text("DocumentId")
    code = read_code(message, document_id)
    promulgation = message.part("PromulgationInfo", ("Place", "PromulgationDate"))
    kind = message.part("DocumentType", ("Type", "TypeDetail", "TypeName"))
    for name in ("Code", "PromulgationInfo", "DocumentType"):
        if not message.has(name):
            message.warn("absent-element", name, element=name)
    signer = message.part("SignerInfo", ("Competence", "Position", "FullName"))
    trace = header.part("TraceHeaderList", ("Paper", "Bussiness"), ("TraceHeader",))
    business = read_business(trace)
    for place, own_id in (
        ("MessageHeader/DocumentId", document_id),
        # A new document concerns no earlier one: what stands here is an id of its own.
        ("TraceHeaderList/Bussiness/DocumentId", business.document_id if business.type == "new" else None),
    ):
        official = parse_official(own_id) if own_id else None
        if official is not None and official.date is None:
            findings.warn("impossible-date-in-identifier", place, value=own_id or "")
    attachments = read_attachments(findings, root, envelope, contents)
    if business.type == "new" and all(attachment.broken and not attachment.content.size for attachment in attachments):
        lacking = Text("nội dung tệp đính kèm (AttachmentEncoded)", "the attachments' content (AttachmentEncoded)")
        raise refusal("missing-element", element=lacking)
    return DocumentMessage(
        sender=sender,
        recipients=recipients,
        subject=subject,
        document_id=document_id,
        code=code,
        promulgation=Promulgation(promulgation.text("Place"), promulgation.date("PromulgationDate")),
        document_type=DocumentType(kind.text("TypeName"), kind.number("Type"), kind.number("TypeDetail")),
        content=message.text("Content"),
        signer=Signer(signer.text("Competence"), signer.text("Position"), signer.text("FullName")),
        due_date=message.date("DueDate"),
        other=read_other(message.part("OtherInfo", OTHER)),
        response_for=tuple(read_response_for(part) for part in message.parts("ResponseFor", RESPONSE_FOR)),
        steering_type=message.number("SteeringType"),
        task_codes=message.part("ResponseForTask", (), ("TaskCode",)).texts("TaskCode"),
        application_type=message.text("ApplicationType"),
        to_places=message.part("ToPlaces", (), ("Place",)).texts("Place"),
        business=business,
        trace=tuple(read_trace_stop(part) for part in trace.parts("TraceHeader", ("OrganId", "Timestamp"))),
        signature_present=header.has("Signature") or header.has("DigitalSignature"),
        attachments=attachments,
        extra=tuple(findings.extra),
        warnings=tuple(findings.warnings),
    )
