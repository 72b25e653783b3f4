"""Bytes to a tree of elements, with every limit kept: no DTD, no entities, nothing fetched, nothing unbounded.

The bytes are read twice. The first pass (expat) builds nothing and keeps a count of everything: it stops at a
DOCTYPE, at the first element too many, and at a prefix that is bound to nothing. Only what passed it reaches
lxml, whose own limit on long texts has to be lifted because an attachment is one text of many megabytes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.parsers import expat

from lxml import etree

from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

#: The namespace of QCVN 102:2016, generation 2, the only one taken.
EDXML: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_GENERATION_1: Final = "http://www.e-doc.vn/Schema"
_SOAP: Final = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")

_MEBIBYTE: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n\x00"
# Whatever an attribute is, it has this in it: their number is known before a parser makes lists of them.
_ATTRIBUTE: Final = re.compile(rb"=[ \t\r\n]*[\"']")
_MISTAKES: Final = {
    expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]: Text("tiền tố chưa khai báo", "unbound prefix"),
    expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]: Text("thẻ mở và thẻ đóng không khớp", "mismatched tag"),
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: Text("thực thể chưa khai báo", "undefined entity"),
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]: Text("tệp bị cụt", "it breaks off"),
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: Text("tệp bị cụt", "it breaks off"),
}
_TOO_MANY_ATTRIBUTES: Final = Text("thuộc tính XML", "XML attributes")
_TOO_MANY_ELEMENTS: Final = Text("phần tử XML", "XML elements")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything a message may have; sizes in bytes. The defaults are many times the largest seen."""

    size: int = 64 * _MEBIBYTE
    #: One tag, comment or instruction, with all its attributes.
    markup: int = 2 * _MEBIBYTE
    depth: int = 40
    #: Elements, comments and instructions together.
    elements: int = 50_000
    attributes: int = 10_000
    attachments: int = 1_000
    #: Elements the regulation does not know, kept to be written back.
    extras: int = 1_000
    #: Text of any element but an attachment's content, in characters.
    text: int = 262_144
    #: All attachments together once unpacked.
    unpacked: int = 192 * _MEBIBYTE


class Tree(NamedTuple):
    """The root of a well-formed message within its limits, and the encoding it claims if that is not UTF-8."""

    root: etree._Element
    claimed_encoding: str | None


def parse(raw: bytes, limits: Limits) -> Tree:
    """The tree of ``raw``: leading blanks and byte-order marks dropped, comments and instructions left out.

    Raises Unreadable: ``not-edxml``, ``wrong-encoding``, ``not-well-formed``, ``doctype-forbidden``,
    ``generation-1``, ``unknown-format``, ``too-large``, ``too-deep``, ``too-many``.
    """
    if not isinstance(raw, bytes):
        raise refusal("not-edxml")
    if len(raw) > limits.size:
        raise refusal("too-large", limit=limits.size)
    body = _body(raw)
    census = _Census(limits)
    census.take(body)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise refusal("not-well-formed", reason=str(error.msg), line=error.lineno or 1) from error
    except ValueError as error:
        raise refusal("not-well-formed", reason=str(error), line=1) from error
    return Tree(root, census.claimed_encoding)


def _body(raw: bytes) -> bytes:
    """The XML in ``raw``, from its first character on; or the refusal that fits what stands there instead."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")):
        raise refusal("wrong-encoding")
    body = raw.lstrip(_BLANKS)
    while body.startswith(_BOM):
        body = body[len(_BOM) :].lstrip(_BLANKS)
    body = body.rstrip(_BLANKS)
    if body.startswith(b"<"):
        return body
    head = body[:65_536]
    lowered = head.lower()
    if b"multipart/related" in lowered or b"/soap/envelope" in lowered or _GENERATION_1.encode() in head:
        raise refusal("generation-1")
    if b"<?xml" in head or b"<edXML" in head:
        reason = Text("có ký tự lạ trước khai báo XML", "there is something before the XML declaration")
        raise refusal("not-well-formed", reason=reason, line=1)
    raise refusal("not-edxml")


class _Census:
    """The first pass: counts, and refuses at the first thing too many."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._elements = 0
        self._depth = 0
        self._root: str | None = None
        self.claimed_encoding: str | None = None

    def take(self, body: bytes) -> None:
        """Read the whole of ``body``; raises Unreadable."""
        for count, _ in enumerate(_ATTRIBUTE.finditer(body), start=1):
            if count > self._limits.attributes:
                raise refusal("too-many", limit=self._limits.attributes, what=_TOO_MANY_ATTRIBUTES)
        # Whatever the declaration claims: software that writes "utf-16" there and UTF-8 below is common.
        parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = self._aside
        parser.ProcessingInstructionHandler = self._aside
        try:
            for at in range(0, len(body), _MEBIBYTE):
                parser.Parse(body[at : at + _MEBIBYTE], False)  # noqa: FBT003 - expat takes it by position alone
                # Text is handed on as it comes; only one piece of markup can make the parser lag behind.
                if at + _MEBIBYTE - parser.CurrentByteIndex > self._limits.markup + _MEBIBYTE:
                    raise refusal("too-large", limit=self._limits.markup)
            parser.Parse(b"", True)  # noqa: FBT003 - as above
        except expat.ExpatError as error:
            if not _is_utf8(body):
                raise refusal("wrong-encoding") from error
            reason = _MISTAKES.get(error.code) or Text("lỗi cú pháp", expat.ErrorString(error.code))
            raise refusal("not-well-formed", reason=reason, line=error.lineno) from error

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() not in {"UTF-8", "UTF8"}:
            self.claimed_encoding = encoding

    def _doctype(self, *_: object) -> None:
        raise refusal("doctype-forbidden")

    def _aside(self, *_: object) -> None:
        self._count()

    def _count(self) -> None:
        self._elements += 1
        if self._elements > self._limits.elements:
            raise refusal("too-many", limit=self._limits.elements, what=_TOO_MANY_ELEMENTS)

    def _start(self, name: str, _attributes: list[str]) -> None:
        self._count()
        self._depth += 1
        if self._depth > self._limits.depth:
            raise refusal("too-deep", limit=self._limits.depth)
        namespace, _, local = name.rpartition(" ")
        if namespace.startswith(_GENERATION_1):
            raise refusal("generation-1")
        if self._root is None:
            self._root = name
            _check_root(namespace, local)

    def _end(self, _name: str) -> None:
        self._depth -= 1


def _is_utf8(body: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(body), _MEBIBYTE):
            decoder.decode(body[at : at + _MEBIBYTE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_root(namespace: str, local: str) -> None:
    if namespace in _SOAP:
        raise refusal("generation-1")
    if local == "edXML" and namespace == EDXML:
        return
    if namespace == EDXML or local.casefold().startswith("edxml"):
        raise refusal("unknown-format", reason=_foreign(namespace, local))
    raise refusal("not-edxml")


def _foreign(namespace: str, local: str) -> Text:
    shown = f"{{{namespace}}}{local}"[:120]
    return Text(f"phần tử gốc là {shown}", f"its root element is {shown}")
