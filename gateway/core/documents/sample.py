"""Letters and reports made up as text, and a glance at a file, for agencies in small: the bus' own reader is not asked.

The officials are made up. What an axis looks at is little: who sends, to whom, which document, which status.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from lxml import etree

_NAMESPACE: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_NAMES: Final = {"e": _NAMESPACE}
_HEAD: Final = "e:edXMLEnvelope/e:edXMLHeader/e:MessageHeader/"
_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


class Glance(NamedTuple):
    """What stands on a file's face. ``business``: 0 new, 1 recall, 2 update, 3 replacement; ``status``: two digits."""

    sender: str
    receivers: tuple[str, ...]
    document_id: str
    code: str
    subject: str
    business: str
    status: str
    description: str


def glance(raw: bytes) -> Glance | None:
    """The face of an .edxml file; None where it is none. A status' receiver is whose document it answers."""
    try:
        root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError:
        return None
    if root.tag != f"{{{_NAMESPACE}}}edXML" or root.prefix is not None:
        return None

    def text(path: str) -> str:
        found = root.find(_HEAD + path, _NAMES)
        return "" if found is None else (found.text or "").strip()

    status = text("e:StatusCode")
    if status:
        code, number = text("e:ResponseFor/e:Code"), text("e:ResponseFor/e:DocumentId")
        receivers = [text("e:ResponseFor/e:OrganId")]
    else:
        number = text("e:DocumentId")
        code = "/".join(each for each in (text("e:Code/e:CodeNumber"), text("e:Code/e:CodeNotation")) if each)
        receivers = [each.text or "" for each in root.findall(f"{_HEAD}e:To/e:OrganId", _NAMES)]
    if not text("e:From/e:OrganId") or not all(receivers) or not receivers:
        return None
    business = root.findtext(
        "e:edXMLEnvelope/e:edXMLHeader/e:TraceHeaderList/e:Bussiness/e:BussinessDocType", "0", _NAMES
    )
    return Glance(
        text("e:From/e:OrganId"),
        tuple(receivers),
        number,
        code,
        text("e:Subject"),
        business or "0",
        status,
        text("e:Description"),
    )


def sample_letter(
    number: str,
    *,
    sender: str = "H37.01",
    receivers: Sequence[str] = ("H33.16",),
    subject: str = "V/v thử nghiệm liên thông văn bản",
    date: str = "2026/11/23",
    content: bytes = _PDF,
) -> bytes:
    """A new official letter with one file, as a document system of another province writes it."""
    encoded = base64.b64encode(content).decode()
    to = "".join(f"<edXML:To><edXML:OrganId>{escape(code)}</edXML:OrganId></edXML:To>" for code in receivers)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="{_NAMESPACE}"><edXML:edXMLEnvelope xmlns:edXML="{_NAMESPACE}"><edXML:edXMLHeader><edXML:MessageHeader>
<edXML:From><edXML:OrganId>{escape(sender)}</edXML:OrganId>
<edXML:OrganName>Cơ quan gửi mẫu</edXML:OrganName></edXML:From>
{to}
<edXML:DocumentId>{escape(sender)},{date},{escape(number)}/UBND-VP</edXML:DocumentId>
<edXML:Code><edXML:CodeNumber>{escape(number)}</edXML:CodeNumber><edXML:CodeNotation>UBND-VP</edXML:CodeNotation></edXML:Code>
<edXML:PromulgationInfo><edXML:Place>Lạng Sơn</edXML:Place><edXML:PromulgationDate>{date}</edXML:PromulgationDate>
</edXML:PromulgationInfo><edXML:DocumentType><edXML:Type>2</edXML:Type><edXML:TypeDetail>18</edXML:TypeDetail>
<edXML:TypeName>Công văn</edXML:TypeName></edXML:DocumentType>
<edXML:Subject>{escape(subject)}</edXML:Subject><edXML:Content>{escape(subject)}</edXML:Content>
<edXML:SignerInfo><edXML:FullName>Nguyễn Văn Mẫu</edXML:FullName></edXML:SignerInfo>
<edXML:OtherInfo><edXML:Priority>0</edXML:Priority></edXML:OtherInfo></edXML:MessageHeader>
<edXML:TraceHeaderList><edXML:Bussiness><edXML:BussinessDocType>0</edXML:BussinessDocType></edXML:Bussiness>
<edXML:TraceHeader><edXML:OrganId>{escape(sender)}</edXML:OrganId><edXML:Timestamp>{date} 08:00:00</edXML:Timestamp>
</edXML:TraceHeader></edXML:TraceHeaderList></edXML:edXMLHeader>
<edXML:edXMLBody><edXML:edXMLManifest version="1.0"><edXML:Reference><edXML:ContentId>cid:1</edXML:ContentId>
<edXML:ContentType>application/pdf</edXML:ContentType><edXML:AttachmentName>{escape(number)}.pdf</edXML:AttachmentName>
</edXML:Reference></edXML:edXMLManifest></edXML:edXMLBody></edXML:edXMLEnvelope>
<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId><AttachmentName>{escape(number)}.pdf</AttachmentName>
<ContentType>application/pdf</ContentType>
<edXML:ContentTransferEncoded xmlns:edXML="{_NAMESPACE}">{encoded}</edXML:ContentTransferEncoded>
</Attachment></AttachmentEncoded></edXML>
""".encode()


def sample_status(
    document_id: str,
    code: str,
    *,
    sender: str = "H37.01",
    receiver: str = "H33.16",
    symbol: str = "",
    at: str = "2026/11/23 09:00:00",
) -> bytes:
    """A report of ``sender`` on a document of ``receiver``; ``symbol`` is the document's number and notation."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="{_NAMESPACE}"><edXML:edXMLEnvelope xmlns:edXML="{_NAMESPACE}"><edXML:edXMLHeader><edXML:MessageHeader>
<edXML:From><edXML:OrganId>{escape(sender)}</edXML:OrganId></edXML:From>
<edXML:ResponseFor><edXML:OrganId>{escape(receiver)}</edXML:OrganId><edXML:Code>{escape(symbol)}</edXML:Code>
<edXML:DocumentId>{escape(document_id)}</edXML:DocumentId></edXML:ResponseFor>
<edXML:StatusCode>{code}</edXML:StatusCode><edXML:Timestamp>{at}</edXML:Timestamp>
</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>
""".encode()
