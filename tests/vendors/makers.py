"""The makers of generation 2, each with what is known of its habits (facts by source in the research notes)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from gateway.core.edxml.values import Attachment, DocumentMessage, Extra, StatusMessage
from tests.vendors.draft import (
    Dating,
    day_first,
    message_header,
    official_date,
    official_moment,
    status_header,
    trace_header_list,
    with_a_time,
)
from tests.vendors.packing import as_the_kit_packs, encoded
from tests.vendors.paper import EDXML, Hand, Message, Node, Writer, Written, escaped, group, leaf

_SPELT_RIGHT: Final = {
    "Bussiness": "Business",
    "BussinessDocType": "BusinessDocType",
    "BussinessDocReason": "BusinessDocReason",
    "BussinessDocumentInfo": "BusinessDocumentInfo",
}
_DECORATION: Final = (
    "<Signature><SignedInfo><SignatureMethod Algorithm='http://www.w3.org/2000/09/xmldsig#rsa-sha1'/>"
    "<Reference URI=''><DigestValue>bWF1</DigestValue></Reference></SignedInfo><SignatureValue>bWF1</SignatureValue>"
    "<KeyInfo><X509Data><X509SubjectName>CN=mau</X509SubjectName></X509Data></KeyInfo></Signature>"
)
_PLAIN: Final = Hand()
_APPENDIX: Final = "Phần mềm mẫu tự điền phụ lục này"


@dataclass(frozen=True)
class Style:
    """What the makers differ in."""

    hand: Hand = _PLAIN
    date: Dating = official_date
    moment: Dating = official_moment
    root: str = f'<edXML xmlns="{EDXML}">'
    envelope: str = f' xmlns:edXML="{EDXML}"'
    after_header: str = ""
    before: str = ""
    #: Before the names of AttachmentEncoded and what is in it.
    attached: str = ""
    cid_of_contents: str = "cid:"
    description: bool = True
    extra_of_contents: str = ""


def _file(style: Style, header: Sequence[Node], attachments: Sequence[Attachment], chance: random.Random) -> str:
    """The whole file, its Reference elements with or without what the maker adds to them."""
    hand, p = style.hand, style.hand.prefix
    references: list[Node] = []
    contents = ""
    for one in attachments:
        media, data = as_the_kit_packs(one, chance)
        content_id = f"cid:{one.content_id}"
        description = leaf("Description", one.description if style.description else None)
        references.append(
            group(
                "Reference",
                leaf("ContentId", content_id),
                leaf("ContentType", media),
                description,
                leaf("AttachmentName", one.name),
            )
        )
        a = style.attached
        said = "".join(
            f"<{a}{name}>{escaped(text)}</{a}{name}>"
            for name, text in (
                ("ContentId", f"{style.cid_of_contents}{one.content_id}"),
                ("AttachmentName", one.name),
                ("Description", description.text),
                ("ContentType", media),
            )
            if text or hand.empties
        )
        contents += (
            f"<{a}Attachment>{said}{style.extra_of_contents}"
            f'<edXML:ContentTransferEncoded xmlns:edXML="{EDXML}">{encoded(data, chance)}'
            f"</edXML:ContentTransferEncoded></{a}Attachment>{hand.end}"
        )
    body = ""
    if attachments:
        manifest = group("edXMLBody", group("edXMLManifest", *references, attributes=' version="1.0"'))
        body = hand.lines([manifest], 2)
        contents = f"<{style.attached}AttachmentEncoded>{hand.end}{contents}</{style.attached}AttachmentEncoded>"
    return (
        f'{style.before}<?xml version="1.0" encoding="UTF-8"?>{hand.end}{style.root}{hand.end}'
        f"<{p}edXMLEnvelope{style.envelope}>{hand.end}<{p}edXMLHeader>{hand.end}{hand.lines(header, 3)}"
        f"{style.after_header}</{p}edXMLHeader>{hand.end}{body}</{p}edXMLEnvelope>{hand.end}{contents}</edXML>"
    )


def _written(message: Message, style: Style, chance: random.Random, *, order: Sequence[str] = ()) -> str:
    if isinstance(message, StatusMessage):
        header = [status_header(message, style.date, style.moment)]
        attachments: Sequence[Attachment] = ()
        style = replace(style, after_header="")
    else:
        header = [message_header(message, style.date), trace_header_list(message, style.moment)]
        attachments = message.attachments
    if order:
        header[0].children.sort(key=lambda node: order.index(node.name) if node.name in order else -1)
    return _file(style, header, attachments, chance)


def _dates_of(message: Message) -> list[str]:
    """The dates (not moments) that the message says."""
    if isinstance(message, StatusMessage):
        found = [message.response_for.promulgation_date]
    else:
        found = [message.promulgation.date, message.due_date]
        found += [one.promulgation_date for one in message.response_for]
    return [day for day in found if day]


def _moments_of(message: Message) -> list[str]:
    if isinstance(message, StatusMessage):
        return [message.timestamp] if message.timestamp else []
    return [stop.timestamp for stop in message.trace if stop.timestamp]


def java_kit(message: Message, chance: random.Random) -> Written:
    """The official Java kit: empty elements left out, Direction and TypeDetail always said, a dummy signature block."""
    if isinstance(message, StatusMessage):
        return Written(_written(message, Style(), chance).encode(), message)
    other, kind = message.other, message.document_type
    message = replace(
        message,
        other=replace(other, direction=other.direction or False),
        document_type=replace(kind, detail=kind.detail or 0),
        attachments=tuple(replace(one, description=one.description or one.name) for one in message.attachments),
    )
    raw = _written(message, Style(after_header=_DECORATION), chance).encode()
    return Written(raw, replace(message, signature_present=True))


def dot_net_kit(message: Message, chance: random.Random) -> Written:
    """The .NET template: attributes on the trace and the references, ``cid:`` in the manifest alone, no signature."""
    style = Style(
        envelope=f' xmlns:edXML="{EDXML}" xmlns:xlink="http://www.w3.org/1999/xlink"',
        after_header="<edXML:DigitalSignature></edXML:DigitalSignature>",
        cid_of_contents="",
    )
    text = _written(message, style, chance)
    text = text.replace(
        "<edXML:TraceHeaderList>",
        '<edXML:TraceHeaderList id="trace" version="1.0" mustUnderstand="1"'
        ' actor="http://schemas.xmlsoap.org/soap/actor/next">',
    )
    if isinstance(message, DocumentMessage):
        for one in message.attachments:
            content_id = escaped(f"cid:{one.content_id}")
            child = f"<edXML:ContentId>{content_id}</edXML:ContentId>"
            kept = child if chance.random() < 0.5 else ""
            head, _, tail = text.partition("<edXML:Reference>")
            text = f'{head}<edXML:Reference xlink:href="{content_id}" xlink:role="mau" xlink:type="simple">' + (
                tail.replace(child, kept, 1)
            )
    return Written(text.encode(), message)


def bkav(message: Message, chance: random.Random) -> Written:
    """Bkav: days first, a form with every element in it whether filled or not, Business spelt as English has it."""
    style = Style(Hand(spelt=_SPELT_RIGHT, empties=True), day_first, day_first)
    warnings: set[str] = set()
    if _dates_of(message):
        warnings.add("date-form")
    if _moments_of(message):
        warnings.add("timestamp-form")
    return Written(_written(message, style, chance).encode(), message, frozenset(warnings))


_BY_HAND: Final = (
    "From To Code PromulgationInfo DocumentType Subject Content SignerInfo DueDate ToPlaces OtherInfo ResponseFor"
    " SteeringType ResponseForTask ApplicationType StaffInfo StatusCode Description Timestamp DocumentId"
).split()


def by_hand(message: Message, chance: random.Random) -> Written:
    """Typed by hand after the guide: another order with DocumentId last, comments, tabs, every element prefixed."""
    style = Style(Hand(indent="\t", aside="<!-- mau -->"), attached="edXML:")
    text = _written(message, style, chance, order=_BY_HAND)
    # The prefix has to be bound above AttachmentEncoded for that.
    return Written(text.replace(style.root, f"{style.root[:-1]}{style.envelope}>", 1).encode(), message)


def by_hand_unbound(message: Message, chance: random.Random) -> Written:
    """The same as it is found: a prefix that nobody bound, which parsers without namespaces let pass."""
    if isinstance(message, StatusMessage):
        text = _written(message, Style(envelope=""), chance, order=_BY_HAND)
    else:
        text = _written(message, Style(attached="edXML:"), chance, order=_BY_HAND)
        text = text.replace("<edXML:Reference>", '<edXML:Reference xlink:href="">')
    return Written(text.encode(), message, refused="not-well-formed")


def voffice(message: Message, chance: random.Random) -> Written:
    """A form that fills itself in: N/A, a due date two days on, an appendix of the maker's; fields of its own."""
    if isinstance(message, StatusMessage):
        return Written(_written(message, Style(), chance).encode(), message)
    place = message.promulgation.place or "N/A"
    day = message.promulgation.date
    due = message.due_date
    if due is None and day is not None and day < "9999-12-29":
        due = (date.fromisoformat(day) + timedelta(days=2)).isoformat()
    message = replace(
        message,
        promulgation=replace(message.promulgation, place=place),
        due_date=due,
        signer=replace(message.signer, competence=message.signer.competence or "Trực tiếp"),
        other=replace(
            message.other,
            pages=message.other.pages or 0,
            appendixes=(*message.other.appendixes, _APPENDIX),
        ),
    )
    own = "<MimeType>application/octet-stream</MimeType><Format>0</Format>"
    raw = _written(message, Style(extra_of_contents=own), chance).encode()
    extra = tuple(
        Extra(f"AttachmentEncoded/Attachment[{number}]", f'<{name} xmlns="{EDXML}">{text}</{name}>')
        for number in range(1, len(message.attachments) + 1)
        for name, text in (("MimeType", "application/octet-stream"), ("Format", "0"))
    )
    return Written(raw, replace(message, extra=extra))


def lang_son(message: Message, chance: random.Random) -> Written:
    """A province's own builder: a mark and blank lines at the beginning, no prefix anywhere, no trace of a trace."""
    style = Style(Hand(prefix="", indent=""), envelope="", before="\ufeff" + "\r\n" * chance.randrange(3))
    if isinstance(message, DocumentMessage) and message.business.type == "new":
        message = replace(message, trace=(), business=type(message.business)())
    text = _written(message, style, chance, order=_BY_HAND)
    if "<TraceHeaderList>" in text and isinstance(message, DocumentMessage) and message.business.type == "new":
        head, _, rest = text.partition("<TraceHeaderList>")
        text = head + rest.partition("</TraceHeaderList>")[2]
    return Written(text.encode(), message)


def converter(message: Message, chance: random.Random) -> Written:
    """A form that is turned into edXML: a time stands wherever a date is asked for, ids as they are typed."""
    style = Style(date=with_a_time, cid_of_contents=chance.choice(["", "cid:"]))
    warnings = frozenset({"date-form"} if _dates_of(message) else ())
    return Written(_written(message, style, chance).encode(), message, warnings)


def invented(message: Message, chance: random.Random) -> Written:
    """Contents under names of the maker's own: nobody else could find them."""
    text = _written(message, Style(), chance)
    if isinstance(message, StatusMessage):
        text = text.replace("edXMLHeader>", "edXMLHead>")
    text = text.replace("AttachmentEncoded>", "edXMLAttachments>")
    return Written(text.encode(), message, refused="unknown-format")


def other_root(message: Message, chance: random.Random) -> Written:
    """An early builder's own namespace."""
    text = _written(message, Style(), chance).replace(EDXML, "http://www.go.vn/eDoc")
    return Written(text.encode(), message, refused="unknown-format")


MAKERS: Final[dict[str, Writer]] = {
    "java-kit": java_kit,
    "dot-net-kit": dot_net_kit,
    "bkav": bkav,
    "by-hand": by_hand,
    "by-hand-unbound": by_hand_unbound,
    "voffice": voffice,
    "lang-son": lang_son,
    "converter": converter,
    "invented": invented,
    "other-root": other_root,
}
