"""Where the XML of a message begins, or why it is none that is taken; and where it ends.

Leading blanks, NULs and byte-order marks are no part of a message, nor are blanks and NULs behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.core.content import Content, pieces
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

#: The namespace of generation 1, and the beginning of all that it uses.
GENERATION_1: Final = "http://www.e-doc.vn/Schema"

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n\x00"
_NUL: Final = b"\x00"
#: How much of what does not begin as XML is looked into for what it might be.
_LOOKED_INTO: Final = 65_536
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


def body(raw: Content) -> Iterator[bytes]:
    """The XML in ``raw``, in UTF-8, from its first character on and without what trails behind it, in pieces.

    Raises Unreadable at once where something else stands there: ``not-edxml``, ``wrong-encoding``, ``generation-1``,
    ``not-well-formed``.
    """
    start, head = _beginning(raw)
    if not head.startswith(b"<"):
        raise _other(head)
    return _untrailed(_from(raw, start))


def _beginning(raw: Content) -> tuple[int, bytes]:
    """Where the first character stands, and what stands from there on: at least _LOOKED_INTO where there is more."""
    start, head = 0, b""
    for piece in pieces(raw):
        if start == 0 and not head and piece.startswith(_UTF_16):
            raise refusal("wrong-encoding")
        head += piece
        before = len(head)
        head = _led(head)
        start += before - len(head)
        # A mark may be cut in two between pieces.
        if len(head) >= _LOOKED_INTO or head.startswith(b"<"):
            break
    return start, head


def _led(head: bytes) -> bytes:
    head = head.lstrip(_BLANKS)
    while head.startswith(_BOM):
        head = head[len(_BOM) :].lstrip(_BLANKS)
    return head


def _other(head: bytes) -> Exception:
    """The refusal that fits what does not begin as XML."""
    head = head[:_LOOKED_INTO].rstrip(_BLANKS)
    lowered = head.lower()
    if b"multipart/related" in lowered or b"/soap/envelope" in lowered or GENERATION_1.encode() in head:
        return refusal("generation-1")
    if b"<?xml" in head or b"<edXML" in head:
        reason = Text("có ký tự lạ trước khai báo XML", "there is something before the XML declaration")
        return refusal("not-well-formed", reason=reason, line=1)
    return refusal("not-edxml")


def _from(raw: Content, start: int) -> Iterator[bytes]:
    for piece in pieces(raw):
        if start < len(piece):
            yield piece[start:] if start else piece
        start = max(0, start - len(piece))


def _untrailed(xml: Iterator[bytes]) -> Iterator[bytes]:
    """``xml`` without the blanks and NULs at its end, as far as they fill the last piece; NULs however many."""
    held = b""
    for piece in xml:
        stripped = piece.rstrip(_BLANKS)
        trail = piece[len(stripped) :]
        if not stripped and _NUL in held + trail:
            held += trail if _NUL not in held else b""
            continue
        if held:
            yield held
        held = trail
        if stripped:
            yield stripped
