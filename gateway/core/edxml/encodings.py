"""Messages in other encodings than UTF-8 made UTF-8, where the bytes or the declaration say which: nothing is guessed.

UTF-16 is known by its first bytes. A single-byte encoding (windows-1258, ISO-8859-1 and their like) is known by the
XML declaration alone, and only where the bytes are not UTF-8 after all: software that declares the one and writes the
other is common. What was typed in a font of its own encoding (TCVN3, VNI) cannot be told from bytes: see ``fonts``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.core.content import PIECE, Content, NewSink, pieces
from gateway.core.edxml.wording import refusal
from gateway.core.letters import composed

_BLANKS: Final = b" \t\r\n\x00"
_HEAD: Final = 4096
_DECLARED: Final = re.compile(rb"\A<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._:-]{0,39})[\"']")
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]{0,400}?\?>")
_UTF_16: Final = (
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)
#: Encodings of one byte a letter that may be declared, as Python calls them.
SINGLE: Final = frozenset(
    {f"cp125{n}" for n in range(9)}
    | {f"iso8859-{n}" for n in range(1, 17) if n != 12}
    | {"latin-1", "iso8859-1", "koi8-r", "ascii"}
)
_MANY: Final = 65_536


class Recoded(NamedTuple):
    """A message in UTF-8, and the encoding it came in, or None where it is the content as it came."""

    content: Content
    was: str | None


def as_utf8(raw: Content, new_sink: NewSink, told: str | None = None) -> Recoded:
    """``raw`` in UTF-8 and NFC, through a sink where it has to be recoded; what nobody declares is left as it is.

    ``told``: what a package says of its part, where the part itself declares nothing.

    Raises Unreadable ``wrong-encoding`` where the bytes are not what they are declared to be.
    """
    with raw.open() as file:
        head = file.read(_HEAD)
    name = _encoding(head, told)
    if name is None or (name in SINGLE and _is_utf8(raw)):
        return Recoded(raw, None)
    sink = new_sink()
    try:
        for number, text in enumerate(composed_pieces(_decoded(raw, name))):
            # The old declaration would be untrue from now on.
            sink.write((_DECLARATION.sub("", text, count=1) if number == 0 else text).encode())
    except UnicodeError:
        raise refusal("wrong-encoding") from None
    return Recoded(sink.done(), name)


def declared_encoding(head: bytes) -> str | None:
    """The encoding that the XML declaration at the beginning of ``head`` names; None where there is none."""
    match = _DECLARED.match(head.lstrip(_BLANKS).removeprefix(codecs.BOM_UTF8).lstrip(_BLANKS))
    return None if match is None else match[1].decode()


def _encoding(head: bytes, told: str | None) -> str | None:
    """What ``head`` is written in, where that is known and not UTF-8."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise refusal("wrong-encoding")
    for mark, name in _UTF_16:
        if head.startswith(mark):
            return name
    try:
        name = codecs.lookup(declared_encoding(head) or told or "utf-8").name
    except (LookupError, ValueError):
        return None
    return name if name in SINGLE else None


def _decoded(raw: Content, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(name)()
    is_first = True
    for piece in pieces(raw):
        text = decoder.decode(piece)
        yield text.removeprefix("\ufeff") if is_first else text
        is_first = False
    yield decoder.decode(b"", final=True)


def composed_pieces(texts: Iterator[str]) -> Iterator[str]:
    """The text in NFC, piece by piece: windows-1258 writes most letters of Vietnamese as a letter and a tone mark."""
    held = ""
    for text in texts:
        held += text
        # A mark may follow in the next piece; before a letter of ASCII everything is complete.
        cut = next((at for at in range(len(held) - 1, max(-1, len(held) - _MANY), -1) if held[at] < "\x7f"), 0)
        if cut:
            yield composed(held[:cut])
            held = held[cut:]
        if len(held) > PIECE:
            yield composed(held)
            held = ""
    yield composed(held)


def _is_utf8(raw: Content) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces(raw):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
