"""Messages of generation 1 told anew in the words of generation 2, so that one reader reads both.

Generation 1 (guides of 2012 to 2015) is a SOAP 1.1 envelope in the namespace ``http://www.e-doc.vn/Schema/``. No
regulation text is at hand; this is what public software of two makers shows.

Known: SOAP's Header holds ``MessageHeader``, ``TraceHeaderList``, ``ErrorList``, ``Signature`` and a ``Token``, its
Body ``Manifest/Reference`` with ``@xlink:href="cid:…"``, ``AttachmentName`` and ``Description``, or ``Status`` for a
report; the fields below are those of generation 2, days first (dd/MM/yyyy). Attachments are MIME parts, found by
Content-ID, whose bodies are base64 text, or ``AllDocument/Document/Attach/Attachment(@Content-Type)/name,value`` in a
document of its own (behind the envelope, or in another part), where the manifest knows them by name alone.

Guessed: that a part which *says* base64 may hold base64 text of base64 text (told by what a common file begins with);
that ``Attach`` may hold its fields itself, named as MIME names them; that ``Status`` takes MessageHeader's place; that
the old namespace may stand in a tree of generation 2. A receipt that has neither code nor sender is not understood.

Tokens and whatever else authenticates are left out, whatever they are under.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.core.content import PIECE, Content, NewSink, Sink, pieces
from gateway.core.edxml.encodings import Recoded, as_utf8
from gateway.core.edxml.envelope1 import Enclosed, Listed, Told, tell
from gateway.core.edxml.mime import MimePart, body, is_base64_text, stretch, taken_apart
from gateway.core.edxml.names import escaped
from gateway.core.edxml.parse import EDXML, Limits
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s]")
#: What base64 of PDF, ZIP, old office, PNG, JPEG, GIF, TIFF, RTF and RAR begins with.
_FILES: Final = (
    b"JVBERi0",
    b"UEsDB",
    b"0M8R4K",
    b"iVBORw0",
    b"/9j/",
    b"R0lGOD",
    b"SUkqA",
    b"TU0AK",
    b"e1xydG",
    b"UmFyIR",
)


class Retold(NamedTuple):
    """A message in the words of generation 2; whether something that authenticates was left out; what was recoded."""

    content: Content
    had_credentials: bool
    #: The encoding of the envelope inside a package, where it was another than UTF-8.
    was: str | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """One attachment: what is said of it, and where its base64 comes from."""

    enclosed: Enclosed
    part: MimePart | None = None


def retold(content: Content, limits: Limits, new_sink: NewSink) -> Retold:
    """The envelope in ``content``, of generation 1, as a message of generation 2 in a sink.

    Raises Unreadable: ``not-well-formed``, ``doctype-forbidden``, ``unknown-format``, ``too-large``, ``too-deep``,
    ``too-many``.
    """
    told = tell(content, limits, new_sink)
    return Retold(_assembled(told, [_File(one) for one in told.enclosed], content, new_sink), told.had_credentials)


def unpacked(content: Content, limits: Limits, new_sink: NewSink) -> Retold:
    """As ``retold``, for a multipart package: its root part is the envelope, the others are what is attached."""
    package = taken_apart(content, limits.attachments + 2)
    envelope, was = _in_utf_8(content, package.root, new_sink)
    told = tell(envelope, limits, new_sink)
    had_credentials = told.had_credentials
    files = [_File(one) for one in told.enclosed]
    for part in package.parts:
        if part is package.root:
            continue
        if _is_all_document(content, part):
            more = tell(_in_utf_8(content, part, new_sink).content, limits, new_sink)
            had_credentials |= more.had_credentials
            files += [_File(one) for one in more.enclosed]
        else:
            files.append(_File(Enclosed(part.id, part.name, part.type or None), part))
        # Before each is matched with all that are listed: every part may hold as many as a whole message.
        if len(files) > limits.attachments:
            raise refusal("too-many", limit=limits.attachments, what=Text("tệp đính kèm", "attachments"))
    return Retold(_assembled(told, files, content, new_sink), had_credentials, was)


def _in_utf_8(content: Content, part: MimePart, new_sink: NewSink) -> Recoded:
    sink = new_sink()
    for piece in body(content, part):
        sink.write(piece)
    return as_utf8(sink.done(), new_sink, part.charset)


def _is_all_document(content: Content, part: MimePart) -> bool:
    if not part.type.endswith("xml"):
        return False
    head = next(body(content, part), b"")[:1000]
    return b"AllDocument" in head or b"edXMLDocument" in head


def _assembled(told: Told, files: list[_File], source: Content, new_sink: NewSink) -> Content:
    listed, files = _matched(told.listed, files)
    sink = new_sink()
    write = sink.write
    write(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{EDXML}"><edXML:edXMLEnvelope xmlns:edXML="{EDXML}">'
        "<edXML:edXMLHeader>".encode()
    )
    for piece in pieces(told.header):
        write(piece)
    write(b"</edXML:edXMLHeader>")
    if listed or told.body:
        write(b"<edXML:edXMLBody><edXML:edXMLManifest>")
        for one in listed:
            write(b"<edXML:Reference>")
            _leaves(sink, "edXML:", (("ContentId", one.id), ("ContentType", one.type), ("AttachmentName", one.name)))
            write(f"{one.xml}</edXML:Reference>".encode())
        write(f"</edXML:edXMLManifest>{told.body}</edXML:edXMLBody>".encode())
    write(b"</edXML:edXMLEnvelope>")
    if files:
        write(b"<AttachmentEncoded>")
        for file in files:
            write(b"<Attachment>")
            said = file.enclosed
            names = (("ContentId", said.id), ("AttachmentName", said.name), ("ContentType", said.type))
            _leaves(sink, "", (*names, ("Description", said.description)))
            write(f'<edXML:ContentTransferEncoded xmlns:edXML="{EDXML}">'.encode())
            for piece in _encoded(file, source):
                write(_NOT_BASE64.sub(b"!", piece))
            write(f"</edXML:ContentTransferEncoded>{said.xml}</Attachment>".encode())
        write(b"</AttachmentEncoded>")
    write(b"</edXML>")
    return sink.done()


def _leaves(sink: Sink, prefix: str, values: Iterable[tuple[str, str | None]]) -> None:
    for name, value in values:
        if value:
            sink.write(f"<{prefix}{name}>{escaped(value)}</{prefix}{name}>".encode())


def _matched(listed: tuple[Listed, ...], files: list[_File]) -> tuple[list[Listed], list[_File]]:
    """Both with an id each: what has none of its own finds its fellow by name, else by turn."""
    ids = [one.id for one in listed]
    known = {file.enclosed.id for file in files} - {None}
    free = [number for number, one in enumerate(listed) if one.id is None or one.id not in known]
    found: list[_File] = []
    for turn, file in enumerate(files):
        said = file.enclosed
        if said.id is None or said.id not in ids:
            match = next((n for n in free if said.name and listed[n].name == said.name), None)
            if match is None and said.id is None and len(listed) == len(files) and turn in free:
                match = turn
            if match is None:
                said = said._replace(id=said.id or f"generation-1-{turn + 1}")
            else:
                free.remove(match)
                ids[match] = said.id or ids[match] or f"generation-1-{turn + 1}"
                said = said._replace(id=ids[match])
        found.append(_File(said, file.part))
    told = [
        one._replace(id=own or f"generation-1-reference-{number}")
        for number, (one, own) in enumerate(zip(listed, ids, strict=True), start=1)
    ]
    return told, found


def _encoded(file: _File, source: Content) -> Iterator[bytes]:
    """The base64 of a file."""
    part = file.part
    if part is None:
        if file.enclosed.value is not None:
            yield from pieces(file.enclosed.value)
        return
    encoding = part.headers.get("content-transfer-encoding", "").strip().casefold()
    if encoding == "base64":
        yield from body(source, part) if _is_file_in_base64(body(source, part)) else stretch(source, part)
    elif encoding != "quoted-printable" and is_base64_text(source, part):
        yield from stretch(source, part)
    else:
        yield from _into_base64(body(source, part))


def _is_file_in_base64(text: Iterator[bytes]) -> bool:
    """Whether ``text`` is base64 from beginning to end, and that of a common file."""
    size = 0
    for piece in text:
        if (size == 0 and not piece.lstrip().startswith(_FILES)) or _NOT_BASE64.search(piece):
            return False
        size += len(piece) - sum(piece.count(blank) for blank in (b" ", b"\t", b"\r", b"\n"))
    return size > 0 and size % 4 == 0


def _into_base64(plain: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in plain:
        held += piece
        if len(held) >= PIECE:
            whole = len(held) - len(held) % 3
            yield base64.b64encode(held[:whole])
            held = held[whole:]
    yield base64.b64encode(held)
