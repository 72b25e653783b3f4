"""What the axis does to a message on its way: reads who it is for, and writes it anew instead of passing it on."""

from __future__ import annotations

import base64
import binascii
import io
import uuid
import zipfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

QCVN: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_Element = etree._Element  # noqa: SLF001 - lxml's own name for the type


class NotEdxml(Exception):
    """The bytes are no edXML."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What the axis reads of a message: who it is from, whom it is for, what it is called."""

    is_status: bool
    sender: str
    receivers: tuple[str, ...]
    title: str
    notation: str
    business: str
    document_id: str


@dataclass(slots=True)
class Ways:
    """How much of a message is changed in transit."""

    rewrites: bool = True
    rewraps: bool = False
    #: Agency code -> its other code, added as a second To.
    other_codes: Mapping[str, str] | None = None
    #: Codes of the stations that sign the trace; an empty one is written without OrganId, as the axis does.
    stations: tuple[str, ...] = ("", "02.29.W00")


def slip_of(raw: bytes) -> Slip:
    """What a message says of itself; raises NotEdxml."""
    header = _find(_tree(raw), "edXMLEnvelope", "edXMLHeader", "MessageHeader")
    if header is None:
        raise NotEdxml("there is no MessageHeader")
    sender = _text(header, "From", "OrganId")
    status = _text(header, "StatusCode")
    if status:
        answered = _find(header, "ResponseFor")
        if answered is None:
            raise NotEdxml("a status without ResponseFor")
        return Slip(
            True,  # noqa: FBT003 - it is a status
            sender,
            (_text(answered, "OrganId"),),
            _text(header, "Description"),
            _text(answered, "Code"),
            status,
            _text(answered, "DocumentId"),
        )
    receivers = tuple(_text(each, "OrganId") for each in header if etree.QName(each).localname == "To")
    code = [_text(header, "Code", "CodeNumber"), _text(header, "Code", "CodeNotation")]
    trace = _find(_tree(raw), "edXMLEnvelope", "edXMLHeader", "TraceHeaderList")
    business = "" if trace is None else _text(trace, "Bussiness", "BussinessDocType")
    return Slip(
        False,  # noqa: FBT003 - it is a document
        sender,
        receivers,
        _text(header, "Subject"),
        "/".join(part for part in code if part),
        business or "0",
        _text(header, "DocumentId"),
    )


def relayed(raw: bytes, ways: Ways, stamp: str) -> bytes:
    """The message as it leaves the axis at local time ``stamp``; raises NotEdxml."""
    if not ways.rewrites:
        return raw
    root = _tree(raw)
    for comment in list(root.iter(etree.Comment, etree.ProcessingInstruction)):
        parent = comment.getparent()
        if parent is not None:
            parent.remove(comment)
    header = _find(root, "edXMLEnvelope", "edXMLHeader", "MessageHeader")
    if header is None:
        raise NotEdxml("there is no MessageHeader")
    _id_after_to(header)
    _add_defaults(header)
    _add_codes(header, ways.other_codes or {})
    if ways.rewraps:
        _rewrap(root)
    if not _text(header, "StatusCode"):
        _trace(root, ways.stations, stamp)
    _drop_empty(root)
    etree.indent(root, "  ")
    text = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _tree(raw: bytes) -> _Element:
    try:
        root: _Element = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError:
        raise NotEdxml("not well-formed") from None
    if root.tag != f"{{{QCVN}}}edXML":
        raise NotEdxml("another root or namespace")
    return root


def _find(element: _Element, *path: str) -> _Element | None:
    here: _Element | None = element
    for name in path:
        if here is None:
            return None
        here = next((each for each in here if isinstance(each.tag, str) and etree.QName(each).localname == name), None)
    return here


def _text(element: _Element, *path: str) -> str:
    found = _find(element, *path)
    return "" if found is None else (found.text or "").strip()


def _child(parent: _Element, name: str, text: str | None = None) -> _Element:
    made = etree.SubElement(parent, f"{{{QCVN}}}{name}")
    made.text = text
    return made


def _id_after_to(header: _Element) -> None:
    own = _find(header, "DocumentId")
    last = [each for each in header if etree.QName(each).localname == "To"]
    if own is not None and last:
        header.remove(own)
        last[-1].addnext(own)


def _add_defaults(header: _Element) -> None:
    other, kind = _find(header, "OtherInfo"), _find(header, "DocumentType")
    if other is not None and _find(other, "Direction") is None:
        _child(other, "Direction", "false")
    if kind is not None and _find(kind, "TypeDetail") is None:
        _child(kind, "TypeDetail", "0")


def _add_codes(header: _Element, other_codes: Mapping[str, str]) -> None:
    for to in [each for each in header if etree.QName(each).localname == "To"]:
        other = other_codes.get(_text(to, "OrganId"))
        if other is None:
            continue
        twin = deepcopy(to)
        for each in list(twin):
            if etree.QName(each).localname in {"OrganId", "OrganizationInCharge"}:
                twin.remove(each)
            elif etree.QName(each).localname == "OrganName":
                each.text = f"{each.text or ''} (Mã cũ) (qd20)"
        twin.insert(0, _child(twin, "OrganId", other))
        twin.insert(1, _child(twin, "OrganizationInCharge", "TLTVBQG_CDMDD_QD20"))
        to.addnext(twin)


def _rewrap(root: _Element) -> None:
    """Put each attachment that is none yet into a ZIP of one entry, with a name made up."""
    encoded = _find(root, "AttachmentEncoded")
    for attachment in [] if encoded is None else list(encoded):
        content, kind = _find(attachment, "ContentTransferEncoded"), _find(attachment, "ContentType")
        name = _text(attachment, "AttachmentName")
        if content is None or name.endswith(".zip"):
            continue
        try:
            raw = base64.b64decode("".join((content.text or "").split()), validate=True)
        except binascii.Error:
            continue
        if raw.startswith(b"PK\x03\x04"):
            continue
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{uuid.uuid4()}.{name.rpartition('.')[2]}", raw)
        content.text = base64.b64encode(whole.getvalue()).decode()
        if kind is not None:
            kind.text = "application/zip"


def _trace(root: _Element, stations: tuple[str, ...], stamp: str) -> None:
    header = _find(root, "edXMLEnvelope", "edXMLHeader")
    if header is None:
        return
    trace = _find(header, "TraceHeaderList")
    if trace is None:
        trace = _child(header, "TraceHeaderList")
    for station in stations:
        stop = _child(trace, "TraceHeader")
        if station:
            _child(stop, "OrganId", station)
        _child(stop, "Timestamp", stamp)


def _drop_empty(element: _Element) -> None:
    for each in list(element):
        _drop_empty(each)
        if len(each) == 0 and not (each.text or "").strip() and not each.attrib:
            element.remove(each)
