"""The envelope of generation 1 read once from end to end: the header copied, manifest and contents put aside.

Bounded as the reader of generation 2 is: no DTD, no entities, depth, elements, attributes and one piece of markup
limited; texts are never held, but for the few of the manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from xml.parsers import expat

from gateway.core.content import Content, NewSink, Sink
from gateway.core.edxml.names import all_pairs, attribute, escaped, is_generation_1, pairs, small, split, written
from gateway.core.edxml.parse import EDXML, Limits
from gateway.core.edxml.values import Unreadable
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

_PIECE: Final = 1 << 20
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n\x00"
#: Documents one behind the other in a file: the envelope and what holds its attachments.
_DOCUMENTS: Final = 4
_SECRETS: Final = frozenset(
    "token keyinfo password passwd checkpermission security usernametoken secretkey authorization accesstoken".split()
)
#: What only holds the rest together.
_FRAMES: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"Envelope", "edXML", "edXMLMessage", "AllDocument", "edXMLDocument"}),
    "Envelope": frozenset({"Header", "Body"}),
    "edXMLMessage": frozenset({"Header", "Body"}),
    "edXML": frozenset({"edXMLEnvelope", "AttachmentEncoded"}),
    "edXMLEnvelope": frozenset({"edXMLHeader", "edXMLBody"}),
    "Header": frozenset(),
    "edXMLHeader": frozenset(),
    "Body": frozenset({"Manifest", "AllDocument", "edXMLDocument"}),
    "edXMLBody": frozenset({"edXMLManifest"}),
    "AllDocument": frozenset({"Document"}),
    "Document": frozenset(),
    "edXMLDocument": frozenset(),
    "AttachmentEncoded": frozenset(),
    "Manifest": frozenset(),
    "edXMLManifest": frozenset(),
}
_HEADERS: Final = frozenset({"Header", "edXMLHeader"})
_MANIFESTS: Final = frozenset({"Manifest", "edXMLManifest"})
_HOLDERS: Final = frozenset({"Document", "edXMLDocument", "AttachmentEncoded"})
#: The names of an attachment's fields, small and without what divides them.
_FIELDS: Final = {
    "name": "name",
    "attachmentname": "name",
    "value": "value",
    "contenttransferencoded": "value",
    "contentid": "id",
    "contenttype": "type",
    "description": "description",
}
#: Those of a reference that are needed to find its content.
_LISTED_FIELDS: Final = {"attachmentname": "name", "contentid": "id", "contenttype": "type"}
_IGNORED_FIELDS: Final = frozenset({"contenttransferencoding"})


class Listed(NamedTuple):
    """A reference of the manifest: its id, name and type, and the XML of its other children."""

    id: str | None
    name: str | None
    type: str | None
    xml: str


class Enclosed(NamedTuple):
    """An attachment as the message names it; ``value`` is its base64 where it stands in the XML."""

    id: str | None
    name: str | None
    type: str | None
    description: str | None = None
    value: Content | None = None
    xml: str = ""


class Told(NamedTuple):
    """What an envelope says: the header's blocks in the words of generation 2, the body's unknown children as XML."""

    header: Content
    body: str
    listed: tuple[Listed, ...]
    enclosed: tuple[Enclosed, ...]
    had_credentials: bool


def tell(content: Content, limits: Limits, new_sink: NewSink) -> Told:
    """What the envelope in ``content`` says, and any AllDocument behind it. Raises Unreadable as ``retold`` says."""
    teller = _Teller(limits, new_sink)
    with content.open() as file:
        start = 0
        for _ in range(_DOCUMENTS):
            file.seek(start)
            more = _document(teller, file.read, limits)
            if more is None:
                return teller.told()
            start += more
    raise refusal("too-many", limit=_DOCUMENTS, what=Text("tài liệu XML", "XML documents"))


def _document(teller: _Teller, read: Callable[[int], bytes], limits: Limits) -> int | None:
    """Take in one XML document; how many bytes further the next one begins, None where there is none."""
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.namespace_prefixes = True
    parser.ordered_attributes = True
    parser.buffer_text = True
    teller.begin(parser)
    blanks = fed = 0
    try:
        while piece := read(_PIECE):
            if fed == 0:
                fed = blanks = len(piece) - len(piece.lstrip(_BLANKS))
                piece = piece[blanks:]
            parser.Parse(piece, False)  # noqa: FBT003 - expat takes it by position alone
            fed += len(piece)
            # Text is handed on as it comes; only one piece of markup can make the parser lag behind.
            if fed - blanks - parser.CurrentByteIndex > limits.markup + _PIECE:
                raise refusal("too-large", limit=limits.markup)
        parser.Parse(b"", True)  # noqa: FBT003 - as above
    except expat.ExpatError as error:
        if teller.is_whole and parser.ErrorByteIndex > 0:
            return blanks + parser.ErrorByteIndex
        reason = Text("lỗi cú pháp", expat.ErrorString(error.code))
        raise refusal("not-well-formed", reason=reason, line=error.lineno) from error
    return None


class _Open(NamedTuple):
    """An open element: what is done with what is inside it, its name, where its copy goes and how it ends there."""

    kind: Literal["frame", "copy", "drop", "reference", "file", "field", "value"]
    name: str
    write: Callable[[str], None] | None = None
    end: str = ""


@dataclass
class _Draft:
    """A reference or an attachment while it is read."""

    fields: dict[str, str] = field(default_factory=dict)
    xml: list[str] = field(default_factory=list)
    value: Sink | None = None


class _Teller:
    """Hears an envelope's elements and keeps what ``Told`` has."""

    def __init__(self, limits: Limits, new_sink: NewSink) -> None:
        self._limits = limits
        self._new_sink = new_sink
        self._header = new_sink()
        self._body: list[str] = []
        self._listed: list[Listed] = []
        self._enclosed: list[Enclosed] = []
        self._open: list[_Open] = []
        self._drafts: list[_Draft] = []
        self._blocks: set[str] = set()
        self._elements = self._attributes = self._held = 0
        self._had_credentials = False
        self.is_whole = False

    def begin(self, parser: expat.XMLParserType) -> None:
        """Listen to ``parser``, which reads the next document."""
        self.is_whole = False
        self._open.clear()
        self._drafts.clear()
        parser.StartDoctypeDeclHandler = _doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._aside
        parser.ProcessingInstructionHandler = self._aside

    def told(self) -> Told:
        """What was heard."""
        if {"MessageHeader", "Status"} <= self._blocks:
            raise _not_understood("Status + MessageHeader")
        return Told(
            self._header.done(), "".join(self._body), tuple(self._listed), tuple(self._enclosed), self._had_credentials
        )

    def _aside(self, *_: object) -> None:
        self._elements += 1
        if self._elements > self._limits.elements:
            raise refusal("too-many", limit=self._limits.elements, what=Text("phần tử XML", "XML elements"))

    def _start(self, name: str, attributes: list[str]) -> None:
        self._aside()
        if len(self._open) >= self._limits.depth:
            raise refusal("too-deep", limit=self._limits.depth)
        self._attributes += len(attributes) // 2
        if self._attributes > self._limits.attributes:
            raise refusal("too-many", limit=self._limits.attributes, what=Text("thuộc tính XML", "XML attributes"))
        self._open.append(self._opened(name, attributes))

    def _opened(self, name: str, attributes: list[str]) -> _Open:
        above = self._open[-1] if self._open else _Open("frame", "")
        local = split(name)[1]
        if above.kind in {"drop", "field", "value"}:
            return above
        if above.write is not None:
            return self._copy(above.write, name, attributes)
        if above.kind == "reference" or (above.kind == "file" and local != "Attachment"):
            return self._in_draft(name, attributes, _FIELDS if above.kind == "file" else _LISTED_FIELDS)
        return self._in_frame(above, name, attributes)

    def _in_frame(self, above: _Open, name: str, attributes: list[str]) -> _Open:
        namespace, local, _ = split(name)
        is_ours = namespace in {"", EDXML} or is_generation_1(namespace)
        if is_ours and local in _FRAMES.get(above.name, ()):
            return _Open("frame", local)
        if is_ours and local == "Reference" and above.name in _MANIFESTS:
            return self._draft("reference", {small(n): v for n, v in pairs(attributes)})
        if is_ours and local in {"Attach", "Attachment"} and (above.kind == "file" or above.name in _HOLDERS):
            return self._draft("file", {small(n): v for n, v in pairs(attributes)})
        if above.name in _HEADERS:
            self._blocks.add(local)
            return self._copy(self._to_header, name, attributes)
        if above.name == "Body" and local == "Status":
            self._blocks.add("Status")
            self._to_header("<edXML:MessageHeader>")
            return _Open("copy", local, self._to_header, "</edXML:MessageHeader>")
        if above.name in {"Body", "edXMLBody"} | _MANIFESTS:
            return self._copy(self._to_body, name, attributes)
        raise _not_understood(local)

    def _end(self, _name: str) -> None:
        closed = self._open.pop()
        above = self._open[-1] if self._open else None
        if closed.kind == "copy" and closed.write is not None:
            closed.write(closed.end)
        elif closed.kind == "reference":
            draft = self._drafts.pop()
            said = {name: value.strip() for name, value in draft.fields.items()}
            media = said.get("type") if "/" in said.get("type", "") else None
            content_id = (said.get("id") or said.get("href") or "").removeprefix("cid:").strip() or None
            self._listed.append(Listed(content_id, said.get("name") or None, media, "".join(draft.xml)))
            self._check_number(self._listed)
        elif closed.kind == "file":
            self._close_file(self._drafts.pop())
        self.is_whole = above is None

    def _close_file(self, draft: _Draft) -> None:
        said = {name: value.strip() or None for name, value in draft.fields.items()}
        if not any(said.get(name) for name in ("id", "name")) and draft.value is None:
            return
        content_id = (said.get("id") or "").removeprefix("cid:").strip() or None
        value = None if draft.value is None else draft.value.done()
        xml = "".join(draft.xml)
        media = said.get("type") if "/" in (said.get("type") or "") else None
        self._enclosed.append(Enclosed(content_id, said.get("name"), media, said.get("description"), value, xml))
        self._check_number(self._enclosed)

    def _text(self, text: str) -> None:
        here = self._open[-1]
        if here.kind == "drop":
            self._had_credentials = self._had_credentials or not text.isspace()
        elif here.kind == "copy" and here.write is not None:
            here.write(escaped(text))
        elif here.kind == "field":
            self._hold(text)
            fields = self._drafts[-1].fields
            fields[here.name] = fields.get(here.name, "") + text
        elif here.kind == "value" and (sink := self._drafts[-1].value) is not None:
            sink.write(text.encode())

    def _draft(self, kind: Literal["reference", "file"], attributes: dict[str, str]) -> _Open:
        draft = _Draft()
        for name, value in attributes.items():
            if name in {"href", "type", "contentid", "contenttype"}:
                self._hold(value)
                draft.fields[{"contentid": "id", "contenttype": "type"}.get(name, name)] = value
        self._drafts.append(draft)
        return _Open(kind, kind)

    def _in_draft(self, name: str, attributes: list[str], fields: dict[str, str]) -> _Open:
        draft = self._drafts[-1]
        field_name = small(split(name)[1])
        if field_name in _IGNORED_FIELDS:
            return _Open("field", "ignored")
        what = fields.get(field_name)
        if what is None:
            return self._copy(lambda text: self._to_draft(draft, text), name, attributes)
        if what != "value":
            draft.fields[what] = ""
            return _Open("field", what)
        if draft.value is None:
            draft.value = self._new_sink()
        return _Open("value", what)

    def _copy(self, write: Callable[[str], None], name: str, attributes: list[str]) -> _Open:
        namespace, local, prefix = split(name)
        if small(local) in _SECRETS:
            return _Open("drop", local)
        tag, declared = written(namespace, local, prefix)
        said = "".join(attribute(number, *pair) for number, pair in enumerate(all_pairs(attributes)))
        write(f"<{tag}{declared}{said}>")
        return _Open("copy", local, write, f"</{tag}>")

    def _to_header(self, text: str) -> None:
        self._header.write(text.encode())

    def _to_body(self, text: str) -> None:
        self._hold(text)
        self._body.append(text)

    def _to_draft(self, draft: _Draft, text: str) -> None:
        self._hold(text)
        draft.xml.append(text)

    def _hold(self, text: str) -> None:
        """Count what is kept in memory."""
        self._held += len(text)
        if self._held > self._limits.markup:
            raise refusal("too-large", limit=self._limits.markup)

    def _check_number(self, found: list[Listed] | list[Enclosed]) -> None:
        if len(found) > self._limits.attachments:
            raise refusal("too-many", limit=self._limits.attachments, what=Text("tệp đính kèm", "attachments"))


def _doctype(*_: object) -> None:
    raise refusal("doctype-forbidden")


def _not_understood(local: str) -> Unreadable:
    shown = local[:60]
    reason = Text(f"chưa hiểu phần {shown} của thế hệ 1", f"what {shown} means in generation 1 is not known")
    return refusal("unknown-format", reason=reason)
