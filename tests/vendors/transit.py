"""What the national axis does to a message between sender and receiver: it reads it and writes it anew.

CRLF and indentation, comments and empty elements gone, DocumentId behind the recipients, defaults filled in, a file
packed that was not, its own stations behind the others, the same receiver a second time under its other code.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, replace
from typing import Final

from lxml import etree

from gateway.core.edxml.values import DocumentMessage, Organization, TraceStop
from tests.vendors.packing import zipped
from tests.vendors.paper import EDXML, Message

_E: Final = f"{{{EDXML}}}"
_CENTRE: Final = "02.29.W00"
_IN_CHARGE: Final = "TLTVBQG_CDMDD_QD20"
_PASSED: Final = ("2025/10/13 10:27:35", "2025/10/13 10:40:04")


@dataclass(frozen=True)
class Passed:
    """A message as it comes out: its bytes, and what is read of them if ``message`` went in."""

    raw: bytes
    expected: Message


def transit(raw: bytes, message: Message, chance: random.Random) -> Passed:
    """``raw``, which says ``message``, after its way over the axis."""
    parser = etree.XMLParser(remove_comments=True, remove_blank_text=True, huge_tree=True, resolve_entities=False)
    root = etree.fromstring(raw, parser)
    _without_empties(root)
    if isinstance(message, DocumentMessage):
        message = _changed(root, message, chance)
    etree.indent(root)
    text = etree.tostring(root, encoding="unicode").replace("\n", "\r\n")
    return Passed(f'<?xml version="1.0" encoding="UTF-8"?>\r\n{text}\r\n'.encode(), message)


def _without_empties(element: etree._Element) -> None:
    for child in list(element):
        _without_empties(child)
        if not len(child) and not (child.text or "").strip() and not child.attrib:
            element.remove(child)


def _changed(root: etree._Element, message: DocumentMessage, chance: random.Random) -> DocumentMessage:
    header = root.find(f".//{_E}MessageHeader")
    assert header is not None
    if (own := header.find(f"{_E}DocumentId")) is not None:
        header.remove(own)
        header.insert(header.index(header.findall(f"{_E}To")[-1]) + 1, own)
    if (other := header.find(f"{_E}OtherInfo")) is not None and other.find(f"{_E}Direction") is None:
        _leaf(other, "Direction", "false")
        message = replace(message, other=replace(message.other, direction=False))
    if (kind := header.find(f"{_E}DocumentType")) is not None and kind.find(f"{_E}TypeDetail") is None:
        _leaf(kind, "TypeDetail", "0")
        message = replace(message, document_type=replace(message.document_type, detail=0))
    if header.find(f"{_E}ResponseFor") is None:
        etree.SubElement(header, f"{_E}ResponseFor")
    for attachment in root.iter(f"{_E}Attachment"):
        _repacked(attachment, chance)
    return _second_code(header, _with_stations(root, message), chance)


def _leaf(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{_E}{name}").text = text


def _repacked(attachment: etree._Element, chance: random.Random) -> None:
    """A PDF may come back as ZIP, declared as what it was."""
    encoded = attachment.find(f"{_E}ContentTransferEncoded")
    name = (attachment.findtext(f"{_E}AttachmentName") or "").strip().casefold()
    if encoded is None or not name.endswith((".pdf", ".doc")) or chance.random() < 0.5:
        return
    data = base64.b64decode("".join((encoded.text or "").split()))
    if not data.startswith(b"PK"):
        encoded.text = base64.b64encode(zipped(data, name[-3:], chance)).decode()


def _with_stations(root: etree._Element, message: DocumentMessage) -> DocumentMessage:
    header = root.find(f".//{_E}edXMLHeader")
    assert header is not None
    trace = header.find(f"{_E}TraceHeaderList")
    if trace is None:
        trace = etree.SubElement(header, f"{_E}TraceHeaderList")
    for organ_id, passed in ((None, _PASSED[0]), (_CENTRE, _PASSED[1])):
        stop = etree.SubElement(trace, f"{_E}TraceHeader")
        if organ_id:
            _leaf(stop, "OrganId", organ_id)
        _leaf(stop, "Timestamp", passed)
    stations = tuple(
        TraceStop(organ_id, passed.replace("/", "-").replace(" ", "T") + "+07:00")
        for organ_id, passed in ((None, _PASSED[0]), (_CENTRE, _PASSED[1]))
    )
    return replace(message, trace=(*message.trace, *stations))


def _second_code(header: etree._Element, message: DocumentMessage, chance: random.Random) -> DocumentMessage:
    """Whoever is known by its new code gets a second To with the old one."""
    first = message.recipients[0]
    if chance.random() < 0.5:
        return message
    again = Organization(f"000.00.00.{first.organ_id}", f"{first.name or first.organ_id} (Mã cũ) (qd20)", _IN_CHARGE)
    to = etree.Element(f"{_E}To")
    _leaf(to, "OrganId", again.organ_id)
    _leaf(to, "OrganizationInCharge", _IN_CHARGE)
    _leaf(to, "OrganName", again.name or "")
    header.insert(header.index(header.findall(f"{_E}To")[-1]) + 1, to)
    return replace(message, recipients=(*message.recipients, again))
