"""Generation 1 as its makers wrote it: SOAP with MIME parts, SOAP with AllDocument behind it, a report in the Body."""

from __future__ import annotations

import base64
import random
import re
from dataclasses import replace
from typing import Final

from gateway.core.content import whole
from gateway.core.edxml.values import DocumentMessage, StatusMessage
from tests.vendors.draft import day_first, message_header, status_header, trace_header_list
from tests.vendors.makers import _SPELT_RIGHT as SPELT_RIGHT
from tests.vendors.packing import encoded
from tests.vendors.paper import Hand, Message, Writer, Written, escaped

NAMESPACE: Final = "http://www.e-doc.vn/Schema/"
TOKEN: Final = "KHONG-PHAI-MA-THAT"
_OPEN: Final = (
    '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"'
    f' xmlns:edXML="{NAMESPACE}" xmlns:xlink="http://www.w3.org/1999/xlink">'
)
_SIGNATURE: Final = (
    f"<edXML:Signature><edXML:KeyInfo><edXML:OrganId>x</edXML:OrganId><edXML:Token>{TOKEN}</edXML:Token>"
    "</edXML:KeyInfo></edXML:Signature>"
)
_LIKE_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=\s]*\Z")
_HAND: Final = Hand(spelt=SPELT_RIGHT)


def _envelope(message: DocumentMessage, references: str) -> str:
    header = _HAND.lines([message_header(message, day_first), trace_header_list(message, day_first)], 2)
    return (
        f'{_OPEN}<SOAP-ENV:Header><Token xmlns="http://e-doc.vn/xsd">{TOKEN}</Token>{header}{_SIGNATURE}'
        f"</SOAP-ENV:Header><SOAP-ENV:Body><edXML:Manifest>{references}</edXML:Manifest></SOAP-ENV:Body>"
        "</SOAP-ENV:Envelope>"
    )


def _report(message: StatusMessage) -> Written:
    hand = Hand(prefix="")
    body = hand.lines([status_header(message, day_first, day_first, name="Status")], 2)
    text = f"{_OPEN}<SOAP-ENV:Header/><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    return Written(text.encode(), message, frozenset({"generation-1"}))


def soap_with_mime(message: Message, chance: random.Random) -> Written:
    """A province's SOAP service: each file a MIME part that its reference names, mostly base64 whatever it says."""
    if isinstance(message, StatusMessage):
        return _report(message)
    boundary = f"MIMEBoundary_{chance.getrandbits(64):x}"
    references = parts = ""
    for one in message.attachments:
        description = f"<edXML:Description>{escaped(one.description)}</edXML:Description>" if one.description else ""
        references += (
            f'<edXML:Reference xlink:href="{escaped(f"cid:{one.content_id}")}" xlink:type="application/pdf">'
            f"<edXML:AttachmentName>{escaped(one.name)}</edXML:AttachmentName>{description}</edXML:Reference>"
        )
        # A text that is itself base64 of a file could be either; who means the text does not say base64.
        says = chance.choice(["binary", "8bit", *(["base64"] if not _LIKE_BASE64.match(whole(one.content)) else [])])
        parts += (
            f"--{boundary}\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: {says}\r\n"
            f"Content-ID: <{one.content_id}>\r\n\r\n{encoded(whole(one.content), chance)}\r\n"
        )
    first = (
        f"--{boundary}\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        f"Content-ID: <Start>\r\n\r\n{_envelope(message, references)}\r\n"
    )
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="{boundary}"; start="<Start>"\r\n\r\n'
    if chance.random() < 0.5:
        head = ""
    text = f"{head}{first}{parts}--{boundary}--\r\n"
    return Written(text.encode(), message, frozenset({"generation-1", "credentials-inside"}))


def soap_with_all_document(message: Message, chance: random.Random) -> Written:
    """A QLVB of 2014 that sends by mail: the files in a document of their own behind the envelope, known by name."""
    if isinstance(message, StatusMessage):
        return _report(message)
    references = documents = ""
    for one in message.attachments:
        description = f"<edXML:Description>{escaped(one.description)}</edXML:Description>" if one.description else ""
        references += (
            f"<edXML:Reference><edXML:AttachmentName>{escaped(one.name)}</edXML:AttachmentName>{description}"
            "</edXML:Reference>"
        )
        value = base64.b64encode(whole(one.content)).decode()
        documents += (
            '<edXML:Document><edXML:Attach><edXML:Attachment Content-Type="application/pdf"'
            f' Content-Transfer-Encoding="base64"><name>{escaped(one.name)}</name><value>{value}</value>'
            "</edXML:Attachment></edXML:Attach></edXML:Document>"
        )
    behind = f'<edXML:AllDocument xmlns:edXML="{NAMESPACE}">{documents}</edXML:AllDocument>'
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + _envelope(message, references) + "\r\n"
    text += ('<?xml version="1.0"?>' if chance.random() < 0.5 else "") + behind
    expected = replace(
        message,
        attachments=tuple(
            replace(one, content_id=f"generation-1-{number}") for number, one in enumerate(message.attachments, start=1)
        ),
    )
    return Written(text.encode(), expected, frozenset({"generation-1", "credentials-inside"}))


FIRST_GENERATION: Final[dict[str, Writer]] = {
    "soap-with-mime": soap_with_mime,
    "soap-with-all-document": soap_with_all_document,
}
