"""What an edXML message says, as plain frozen values: the document, the status report, and what was odd in them.

Texts are in NFC without blanks around them; an absent or empty element is None. Dates are ``YYYY-MM-DD``,
moments ``YYYY-MM-DDTHH:MM:SS+07:00``: edXML writes local time without a zone, and its time is that of Viet Nam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.core.content import Content
from gateway.core.faults import Text

BusinessType = Literal["new", "recall", "update", "replace"]
Change = Literal["removed", "added"]


@dataclass(eq=False)
class Unreadable(Exception):
    """The bytes are refused as edXML: ``name`` is the reason in kebab-case, ``detail`` tells people what to do."""

    name: str
    detail: Text

    def __str__(self) -> str:
        return f"{self.name}: {self.detail.en}"


@dataclass(eq=False)
class Unwritable(Exception):
    """The value cannot be said in edXML: ``name`` is the reason in kebab-case, ``detail`` tells people why."""

    name: str
    detail: Text

    def __str__(self) -> str:
        return f"{self.name}: {self.detail.en}"


class Oddity(NamedTuple):
    """A warning: something odd in a message that was taken all the same. ``where`` is a path of element names."""

    name: str
    text: Text
    where: str


class Extra(NamedTuple):
    """An element the regulation does not know, kept to be written back: its parent's path and its own XML."""

    place: str
    xml: str


@dataclass(frozen=True, slots=True)
class Organization:
    """An agency as a message names it. Only the code is reliable; the rest is for people."""

    organ_id: str
    name: str | None = None
    in_charge: str | None = None
    address: str | None = None
    email: str | None = None
    telephone: str | None = None
    fax: str | None = None
    website: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """Number and notation of a document (số, ký hiệu). The number is text: production holds ``74fass22``."""

    number: str | None = None
    notation: str | None = None

    @property
    def joined(self) -> str | None:
        """``7816/VPCP-TTĐT``, the form people read and status messages carry; None where both are absent."""
        return "/".join(part for part in (self.number, self.notation) if part) or None


@dataclass(frozen=True, slots=True)
class Promulgation:
    """Where and on which day the document was issued."""

    place: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentType:
    """The kind of document. The name is the key; the numbers mean different things to different vendors."""

    name: str | None = None
    type: int | None = None
    detail: int | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: the authority signed under (quyền hạn), the position, the name."""

    competence: str | None = None
    position: str | None = None
    full_name: str | None = None


@dataclass(frozen=True, slots=True)
class OtherInfo:
    """The lesser facts: ``priority`` 0 to 4 (see ``codelist``), copies and pages as counts."""

    priority: int | None = None
    sphere: str | None = None
    typist: str | None = None
    copies: int | None = None
    pages: int | None = None
    direction: bool | None = None
    appendixes: tuple[str, ...] = ()
    reply_fors: str | None = None
    reference_codes: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseFor:
    """The document that a message answers. ``code`` is number and notation joined: ``7816/VPCP-TTĐT``."""

    organ_id: str | None = None
    code: str | None = None
    document_id: str | None = None
    promulgation_date: str | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """The clerk in charge of the message; the ids are those of the agency's own software."""

    department: str | None = None
    name: str | None = None
    email: str | None = None
    mobile: str | None = None
    department_id: str | None = None
    staff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """A recipient that an update removes or adds."""

    organ_id: str
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """A document that this one replaces, and the agencies that hold it."""

    document_id: str | None = None
    organ_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Business:
    """What the message does: issue, recall, update or replace. A message without the block issues a new document."""

    type: BusinessType = "new"
    document_id: str | None = None
    reason: str | None = None
    paper: bool | None = None
    content_changed: bool | None = None
    receivers_changed: bool | None = None
    receivers: tuple[Receiver, ...] = ()
    replaces: tuple[Replaced, ...] = ()
    staff: Staff = Staff()


@dataclass(frozen=True, slots=True)
class TraceStop:
    """One station the message passed: the axis leaves its own code out now and then."""

    organ_id: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file.

    ``content`` is the file itself, freed of the ZIP that the official software puts around most kinds of files
    (``wrapped`` tells); where ``broken`` is true it is the bytes as they came, empty if there were none to decode.
    ``declared_type`` is what the sender said of the bytes as sent, ``detected_type`` what ``content`` is by its
    first bytes.
    """

    content_id: str
    name: str
    content: Content
    description: str | None = None
    declared_type: str | None = None
    detected_type: str = "application/octet-stream"
    wrapped: Literal["none", "zip"] = "none"
    broken: bool = False


@dataclass(frozen=True, slots=True)
class DocumentMessage:
    """A document on its way: message type ``edoc`` of the axis."""

    sender: Organization
    recipients: tuple[Organization, ...]
    subject: str
    document_id: str | None = None
    code: Code = Code()
    promulgation: Promulgation = Promulgation()
    document_type: DocumentType = DocumentType()
    content: str | None = None
    signer: Signer = Signer()
    due_date: str | None = None
    other: OtherInfo = OtherInfo()
    response_for: tuple[ResponseFor, ...] = ()
    steering_type: int | None = None
    task_codes: tuple[str, ...] = ()
    application_type: str | None = None
    to_places: tuple[str, ...] = ()
    business: Business = Business()
    trace: tuple[TraceStop, ...] = ()
    signature_present: bool = False
    attachments: tuple[Attachment, ...] = ()
    extra: tuple[Extra, ...] = ()
    warnings: tuple[Oddity, ...] = ()

    @property
    def concerned_id(self) -> str | None:
        """The id of the document a recall or update is about: the business block's, else the message's own."""
        return self.business.document_id or self.document_id


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """A report on a document already sent: message type ``status`` of the axis. ``code`` is two digits as text."""

    sender: Organization
    response_for: ResponseFor
    code: str
    staff: Staff = Staff()
    description: str | None = None
    timestamp: str | None = None
    extra: tuple[Extra, ...] = ()
    warnings: tuple[Oddity, ...] = ()
