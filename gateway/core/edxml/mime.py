"""A multipart/related package taken apart: where each part lies in the file, and its bytes freed of their encoding.

Generation 1 of edXML travelled so. Nothing is held but the headers of the parts: a part's body is a stretch of the
file, read when somebody wants it. A package may come with the header that names its boundary, or, as software saves
the body of an HTTP request, begin with the boundary itself.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from gateway.core.content import PIECE, Content
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

#: One line; a longer one is read in pieces.
_LINE: Final = 65_536
_HEADERS: Final = 65_536
_BLANKS: Final = b" \t\r\n\x00"
_HEADER: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:")
_BOUNDARY: Final = re.compile(rb"--([!-~][ -~]{0,199}?)[ \t]*\r?\n")
_PARAMETER: Final = re.compile(r";\s*([A-Za-z][A-Za-z0-9*-]{0,40})\s*=\s*(?:\"([^\"]{0,1000})\"|([^\s;\"]{1,1000}))")
_BASE64_LINE: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}\s*\Z")


class MimePart(NamedTuple):
    """One part: its headers by name in small letters, and where its body begins and ends in the file (bytes)."""

    headers: Mapping[str, str]
    start: int
    end: int

    @property
    def type(self) -> str:
        """The media type in small letters; empty where none is said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().casefold()

    @property
    def charset(self) -> str | None:
        """The encoding of its text, where it says one."""
        return _parameters(self.headers.get("content-type", "")).get("charset")

    @property
    def id(self) -> str | None:
        """The Content-ID without its brackets."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">").strip() or None

    @property
    def name(self) -> str | None:
        """The file name that the part gives itself."""
        disposition = _parameters(self.headers.get("content-disposition", "")).get("filename")
        return disposition or _parameters(self.headers.get("content-type", "")).get("name")


class Package(NamedTuple):
    """The parts in order, and the id of the one that a header calls the first."""

    parts: tuple[MimePart, ...]
    start: str | None

    @property
    def root(self) -> MimePart:
        """The part that the others belong to: the one so named, else the first of XML, else the first."""
        named = [part for part in self.parts if self.start and part.id == self.start]
        xml = [part for part in self.parts if part.type.endswith("xml") or "soap" in part.type]
        return (named or xml or list(self.parts))[0]


def looks_packed(head: bytes) -> bool:
    """Whether ``head``, the beginning of a file, is that of a multipart package."""
    head = head.lstrip(_BLANKS)
    if _BOUNDARY.match(head):
        return bool(re.search(rb"\ncontent-(type|id|transfer-encoding):", head, re.IGNORECASE))
    return bool(_HEADER.match(head)) and b"multipart/" in head.lower()


def taken_apart(content: Content, most: int) -> Package:
    """The parts of the package in ``content``.

    Raises Unreadable: ``too-many`` for more than ``most`` parts, ``too-large`` for headers without end,
    ``unknown-format`` where there is no boundary or no part, ``not-well-formed`` where the last boundary is missing.
    """
    with content.open() as file:
        boundary, start = _frame(file)
        parts = tuple(_parts(file, boundary, most))
    if not parts:
        raise refusal("unknown-format", reason=Text("gói MIME không có phần nào", "its MIME package has no part"))
    return Package(parts, start)


def is_base64_text(content: Content, part: MimePart) -> bool:
    """Whether the body of ``part`` is base64 from its first line to its last, whatever its headers say."""
    seen = False
    for line in _lines(content, part):
        if not _BASE64_LINE.match(line):
            return False
        seen = seen or bool(line.strip())
    return seen


def body(content: Content, part: MimePart) -> Iterator[bytes]:
    """The bytes of the part, freed of the encoding that its header names; base64 that is damaged ends with ``!``."""
    encoding = part.headers.get("content-transfer-encoding", "").strip().casefold()
    if encoding == "base64":
        yield from _from_base64(stretch(content, part))
    elif encoding == "quoted-printable":
        for line in _lines(content, part):
            yield quopri.decodestring(line)
    else:
        yield from stretch(content, part)


def stretch(content: Content, part: MimePart) -> Iterator[bytes]:
    """The bytes of the part as they stand in the file."""
    with content.open() as file:
        file.seek(part.start)
        left = part.end - part.start
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def _frame(file: BinaryIO) -> tuple[bytes, str | None]:
    """The boundary with its dashes, and the root's id; the file is left where the first boundary is looked for."""
    head = file.read(_HEADERS)
    skipped = len(head) - len(head.lstrip(_BLANKS))
    head = head[skipped:]
    if match := _BOUNDARY.match(head):
        file.seek(skipped)
        return b"--" + match[1], None
    headers, length = _headers(head)
    file.seek(skipped + length)
    parameters = _parameters(headers.get("content-type", ""))
    boundary = parameters.get("boundary", "")
    if not boundary or not boundary.isascii() or len(boundary) > 200:
        raise refusal("unknown-format", reason=Text("gói MIME không nêu boundary", "its MIME package has no boundary"))
    start = parameters.get("start", "").removeprefix("<").removesuffix(">").strip()
    return b"--" + boundary.encode(), start or None


def _parts(file: BinaryIO, boundary: bytes, most: int) -> Iterator[MimePart]:
    count = 0
    headers: dict[str, str] | None = None
    start = position = file.tell()
    at_line_start = True
    blank = b""
    while line := file.readline(_LINE):
        here = position
        position += len(line)
        if at_line_start and line.startswith(boundary) and line.rstrip() in {boundary, boundary + b"--"}:
            if headers is not None:
                yield MimePart(headers, start, max(start, here - len(blank)))
            if line.rstrip() != boundary:
                return
            count += 1
            if count > most:
                raise refusal("too-many", limit=most, what=Text("phần MIME", "MIME parts"))
            headers, length = _headers(file.read(_HEADERS))
            start = position = position + length
            file.seek(start)
            at_line_start, blank = True, b""
            continue
        at_line_start = line.endswith(b"\n")
        # The line end before a boundary belongs to the boundary.
        blank = b"\r\n" if line.endswith(b"\r\n") else b"\n" if at_line_start else b""
    if headers is not None:
        # Nobody could tell what is missing: half a file must not pass for the whole.
        raise refusal("not-well-formed", reason=Text("gói MIME bị cụt", "its MIME package breaks off"), line=1)


def _headers(head: bytes) -> tuple[dict[str, str], int]:
    """The headers at the beginning of ``head`` with the blank line behind them, and their length."""
    found: dict[str, str] = {}
    length = 0
    last: str | None = None
    while length < len(head):
        end = head.find(b"\n", length)
        end = len(head) if end < 0 else end + 1
        line = head[length:end].decode("utf-8", "replace").rstrip("\r\n")
        length = end
        if not line.strip():
            return found, length
        if line[0] in " \t" and last is not None:
            found[last] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon:
            break
        last = name.strip().casefold()
        found.setdefault(last, value.strip())
    if length >= _HEADERS:
        raise refusal("too-large", limit=_HEADERS)
    return found, length


def _parameters(value: str) -> dict[str, str]:
    return {name.casefold(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}


def _lines(content: Content, part: MimePart) -> Iterator[bytes]:
    with content.open() as file:
        file.seek(part.start)
        left = part.end - part.start
        while left > 0 and (line := file.readline(min(_LINE, left))):
            left -= len(line)
            yield line


def _from_base64(encoded: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in encoded:
        held += b"".join(piece.split())
        whole = len(held) - len(held) % 4
        try:
            yield base64.b64decode(held[:whole], validate=True)
        except binascii.Error:
            yield b"!"
            return
        held = held[whole:]
    if held:
        yield b"!"
