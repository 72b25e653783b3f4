"""The bytes of one attachment on their way in: out of base64 as it comes, into a sink, with what must be known of them.

Whoever wants to know what a file is needs its first bytes, and whoever wants to know whether a text decoder ruined
it needs all of them once: both are noted as they pass, so that nobody has to read a large file again.
"""

from __future__ import annotations

import binascii
from typing import Final, NamedTuple

from gateway.core.content import Content, NewSink, Sink

#: How much of a file is looked at to tell what it is.
HEAD: Final = 4096
_REPLACEMENT: Final = "\ufffd".encode()
_BLANKS: Final = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
#: The blanks that XML knows: without one of these there is nothing to take away.
_USUAL: Final = (b"\n", b"\r", b" ", b"\t")
_PAD: Final = b"="
#: What base64 may end with, and more: the rest of a run of padding changes nothing about the verdict.
_TAIL: Final = 16


class Arrived(NamedTuple):
    """One attachment's bytes as they came.

    ``head``: the first HEAD of them; ``replaced``: how many U+FFFD in UTF-8 are among them.
    """

    content: Content
    head: bytes
    replaced: int


class Inflow:
    """Takes bytes into a sink of ``new_sink`` and notes what must be known of them."""

    def __init__(self, new_sink: NewSink) -> None:
        self._sink: Sink = new_sink()
        self._head = b""
        self._last = b""
        self._replaced = 0
        #: Bytes so far.
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Add to it; raises what the sink raises."""
        if not piece:
            return
        self.size += len(piece)
        if len(self._head) < HEAD:
            self._head += piece[: HEAD - len(self._head)]
        # A letter may be cut in two between pieces; two bytes alone never hold one.
        self._replaced += piece.count(_REPLACEMENT) + (self._last + piece[:2]).count(_REPLACEMENT)
        self._last = (self._last + piece)[-2:] if len(piece) < 2 else piece[-2:]
        self._sink.write(piece)

    def done(self) -> Arrived:
        """That was all."""
        return Arrived(self._sink.done(), self._head, self._replaced)


class Base64Inflow:
    """Takes base64 text, with blanks wherever they stand, and decodes it as it comes."""

    def __init__(self, new_sink: NewSink) -> None:
        self._new_sink = new_sink
        self._inflow: Inflow | None = None
        self._held = b""
        self._is_spoilt = False
        #: Whether there was anything but blanks.
        self.says_something = False

    def write(self, text: str) -> None:
        """Add to it; what is no base64 is no error before the end."""
        encoded = self._plain(text)
        if not encoded:
            return
        self.says_something = True
        if self._is_spoilt:
            return
        held = self._held + encoded
        padding = held.find(_PAD)
        # The last group is kept back: with what follows it may turn out to be padded, or wrong.
        whole = max(0, (len(held) if padding < 0 else padding) - 4) // 4 * 4
        self._decode(held[:whole])
        self._held = held[whole:]
        if padding >= 0:
            self._is_spoilt |= bool(held[padding:].strip(_PAD))
            self._held = self._held[:_TAIL]

    def done(self) -> Arrived | None:
        """The bytes; None where the text was no base64 (RFC 4648, padded)."""
        self._decode(self._held)
        if self._is_spoilt:
            return None
        return (self._inflow or Inflow(self._new_sink)).done()

    def _plain(self, text: str) -> bytes:
        """The text without blanks; where it is not ASCII it is no base64."""
        if text.isascii():
            encoded = text.encode()
            return encoded.translate(None, _BLANKS) if any(blank in encoded for blank in _USUAL) else encoded
        plain = "".join(text.split())
        self._is_spoilt |= not plain.isascii()
        return plain.encode()

    def _decode(self, encoded: bytes) -> None:
        if self._is_spoilt or not encoded:
            return
        if self._inflow is None:
            self._inflow = Inflow(self._new_sink)
        try:
            self._inflow.write(binascii.a2b_base64(encoded, strict_mode=True))
        except binascii.Error:
            self._is_spoilt = True
