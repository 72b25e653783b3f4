"""Bytes to a tree of elements, with every limit kept: no DTD, no entities, nothing fetched, nothing unbounded.

The bytes are read once, piece by piece (expat). That pass builds nothing and keeps a count of everything: it stops at
a DOCTYPE, at the first element too many, and at a prefix that is bound to nothing. What is attached is decoded on the
way and goes into sinks; the message without it, some kilobytes as a rule, is what reaches lxml.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.parsers import expat

from lxml import etree

from gateway.core.content import PIECE, Content, MemorySink, NewSink
from gateway.core.edxml.beginning import GENERATION_1, body
from gateway.core.edxml.inflow import Arrived, Base64Inflow
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

#: The namespace of QCVN 102:2016, generation 2: what reaches this file speaks it, or is made to (``unwrapping``).
EDXML: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
#: What generation 1 is packed in.
SOAP: Final = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")

_MEBIBYTE: Final = 1 << 20
_BLANKS: Final = b" \t\r\n"
# Whatever an attribute is, it has this in it: their number is known before a parser makes lists of them.
_ATTRIBUTE: Final = re.compile(rb"=[ \t\r\n]*[\"']")
_START_TAG: Final = re.compile(rb"<[^>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^>\"']*)*>")
#: Where the content of an attachment stands: these elements, one in the other, in the message's namespace or in none.
_CONTENT: Final = tuple(
    frozenset({name, f"{EDXML} {name}"})
    for name in ("edXML", "AttachmentEncoded", "Attachment", "ContentTransferEncoded")
)
_ATTACHMENT: Final = len(_CONTENT) - 1
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
    #: The message without what is attached.
    record: int = 8 * _MEBIBYTE


class Tree(NamedTuple):
    """The root of a well-formed message within its limits, and the encoding it claims if that is not UTF-8.

    ``contents``: what is attached, in order; None for what was no base64. In the tree its number stands in its place.
    """

    root: etree._Element
    claimed_encoding: str | None
    contents: tuple[Arrived | None, ...]


def parse(raw: Content, limits: Limits, new_sink: NewSink = MemorySink) -> Tree:
    """The tree of ``raw``: leading blanks and byte-order marks dropped, comments and instructions left out.

    Raises Unreadable: ``not-edxml``, ``wrong-encoding``, ``not-well-formed``, ``doctype-forbidden``,
    ``generation-1``, ``unknown-format``, ``too-large``, ``too-deep``, ``too-many``; and what sinks raise.
    """
    if raw.size > limits.size:
        raise refusal("too-large", limit=limits.size)
    census = _Census(limits, new_sink)
    try:
        for piece in body(raw):
            census.take(piece)
        record = census.end()
    except expat.ExpatError as error:
        if not _is_utf8(body(raw)):
            raise refusal("wrong-encoding") from error
        reason = _MISTAKES.get(error.code) or Text("lỗi cú pháp", expat.ErrorString(error.code))
        raise refusal("not-well-formed", reason=reason, line=error.lineno) from error
    finally:
        census.close()
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
        root = etree.fromstring(record, parser)
    except etree.XMLSyntaxError as error:
        raise refusal("not-well-formed", reason=str(error.msg), line=error.lineno or 1) from error
    except ValueError as error:
        raise refusal("not-well-formed", reason=str(error), line=1) from error
    return Tree(root, census.claimed_encoding, tuple(census.contents))


class _Census:
    """The one pass: counts, refuses at the first thing too many, and takes out what is attached."""

    def __init__(self, limits: Limits, new_sink: NewSink) -> None:
        self._limits = limits
        self._new_sink = new_sink
        self._elements = 0
        self._attributes = 0
        self._last = b""
        self._depth = 0
        #: How many of the elements that are open are those of _CONTENT, from the root on.
        self._followed = 0
        self._fed = 0
        #: Bytes that were fed and of which it is not known yet where they go, and the place of the first.
        self._held = bytearray()
        self._at = 0
        self._record = bytearray()
        #: The content that is being taken out, if one is.
        self._content: Base64Inflow | None = None
        #: Whether the attachment that is open has one already: a second one stays where it is, and is noticed.
        self._has_content = False
        self.contents: list[Arrived | None] = []
        self.claimed_encoding: str | None = None
        # Whatever the declaration claims: software that writes "utf-16" there and UTF-8 below is common.
        self._parser = parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.ordered_attributes = True
        # Lines of base64 come together instead of one by one.
        parser.buffer_text = True
        parser.buffer_size = PIECE
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = self._aside
        parser.ProcessingInstructionHandler = self._aside

    def take(self, piece: bytes) -> None:
        """The next bytes; raises Unreadable, and ExpatError for what is not well-formed."""
        self._count_attributes(piece)
        self._held += piece
        self._fed += len(piece)
        self._parser.Parse(piece, False)  # noqa: FBT003 - expat takes it by position alone
        # Text is handed on as it comes; only one piece of markup can make the parser lag behind.
        settled = max(0, self._parser.CurrentByteIndex)
        if self._fed - settled > self._limits.markup + PIECE:
            raise refusal("too-large", limit=self._limits.markup)
        self._settle(settled)
        if len(self._record) > self._limits.record:
            raise refusal("too-large", limit=self._limits.record)

    def end(self) -> bytes:
        """The message without what is attached; raises as ``take`` does."""
        self._parser.Parse(b"", True)  # noqa: FBT003 - as above
        self._settle(self._fed)
        return bytes(self._record)

    def close(self) -> None:
        """Let go of the parser, which holds on to this: what was taken out may be large and must not wait for that."""
        del self._parser

    def _settle(self, place: int) -> None:
        """Keep what is held up to ``place``, or let it go while a content is taken out."""
        count = place - self._at
        if count <= 0:
            return
        if self._content is None:
            self._record += self._held[:count]
        del self._held[:count]
        self._at = place

    def _count_attributes(self, piece: bytes) -> None:
        looked_at = self._last + piece
        for _ in _ATTRIBUTE.finditer(looked_at):
            self._attributes += 1
            if self._attributes > self._limits.attributes:
                raise refusal("too-many", limit=self._limits.attributes, what=_TOO_MANY_ATTRIBUTES)
        # One that is cut in two between pieces is seen with the next.
        self._last = b"=" if looked_at.rstrip(_BLANKS).endswith(b"=") else b""

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
        namespace, _, local = name.rpartition(" ")
        self._depth = depth = self._depth + 1
        if depth > self._limits.depth:
            raise refusal("too-deep", limit=self._limits.depth)
        if namespace.startswith(GENERATION_1):
            raise refusal("generation-1")
        if depth == 1:
            _check_root(namespace, local)
        if depth <= len(_CONTENT) and depth == self._followed + 1 and name in _CONTENT[depth - 1]:
            self._followed = depth
            if depth == _ATTACHMENT:
                self._has_content = False
            elif depth > _ATTACHMENT and not self._has_content:
                self._take_out()

    def _take_out(self) -> None:
        """From the end of this start tag on, the text is an attachment's and not the record's."""
        tag = _START_TAG.match(self._held, self._parser.CurrentByteIndex - self._at)
        if tag is None:  # it is well-formed, so there is one
            raise refusal("unknown-format", reason=Text("thẻ không có kết thúc", "a tag does not end"))
        self._settle(self._at + tag.end())
        self._content = Base64Inflow(self._new_sink)
        self._parser.CharacterDataHandler = self._content.write

    def _end(self, _name: str) -> None:
        if self._content is not None and self._depth == len(_CONTENT):
            self._parser.CharacterDataHandler = None
            self._settle(self._parser.CurrentByteIndex)
            if self._content.says_something:
                self._record += b"%d" % len(self.contents)
                self.contents.append(self._content.done())
                self._has_content = True
            self._content = None
        self._depth -= 1
        self._followed = min(self._followed, self._depth)


def _is_utf8(xml: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in xml:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_root(namespace: str, local: str) -> None:
    if namespace in SOAP:
        raise refusal("generation-1")
    if local == "edXML" and namespace == EDXML:
        return
    if namespace == EDXML or local.casefold().startswith("edxml"):
        raise refusal("unknown-format", reason=_foreign(namespace, local))
    raise refusal("not-edxml")


def _foreign(namespace: str, local: str) -> Text:
    shown = f"{{{namespace}}}{local}"[:120]
    return Text(f"phần tử gốc là {shown}", f"its root element is {shown}")
